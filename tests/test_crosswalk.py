"""docs/crosswalk.md is what docs/crosswalk.py prints, and it holds all of FLAN's tasks."""

import re
import subprocess
import sys

from conftest import ROOT

TABLE = (ROOT / "docs" / "crosswalk.md").read_text(encoding="utf-8")


def test_the_table_is_up_to_date():
    printed = subprocess.run([sys.executable, "docs/crosswalk.py"], cwd=ROOT, capture_output=True, text=True)

    assert printed.stdout == TABLE, "python docs/crosswalk.py > docs/crosswalk.md"


def test_the_code_s_69_tasks_in_17_clusters_are_all_there(tasks):
    codes = [task.flan for task in tasks.values()]
    in_clusters = [code for code in codes if "/" in code]

    assert len(set(in_clusters)) == len(in_clusters) == 69
    assert len({code.partition("/")[0] for code in in_clusters}) == 17
    assert [code for code in codes if "/" not in code] == ["wsc273"]


def test_every_task_has_one_row(tasks):
    assert sorted(re.findall(r"\| `([\w/]+)` \| [^|]*\|$", TABLE, re.MULTILINE)) == sorted(tasks)
