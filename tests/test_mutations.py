"""Damaged inputs of every kind end as docs/robustness.md says: a small part of benchmarks/mutations.py."""

import os
import subprocess
import sys

from conftest import ROOT

SCRIPT = ROOT / "benchmarks" / "mutations.py"
KINDS = 16


def table(seed, tries):
    """The exit code, the cells of each row of the table by kind, and the whole output."""
    command = [sys.executable, SCRIPT, "--seed", seed, "--tries", tries]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=environment
    )
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    header, *rows = lines or [[]]
    counts = {name: dict(zip(header[1:], map(int, row), strict=True)) for name, *row in rows}
    return done.returncode, counts, done.stdout + done.stderr


def test_no_damaged_input_gives_wrong_rows_a_traceback_or_no_end():
    code, counts, output = table(seed=2021, tries=5)

    assert code == 0, output
    assert len(counts) == KINDS + 1
    assert counts["all"]["tries"] == 5 * KINDS
    assert counts["all"]["wrong"] + counts["all"]["traceback"] + counts["all"]["endless"] == 0
    assert counts["all"]["refused"] > 0
    assert counts["all"]["healed"] > 0
