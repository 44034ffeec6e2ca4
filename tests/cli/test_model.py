"""The commands that train and evaluate."""

import subprocess
import sys

import toys


def flanbuild(*arguments, cwd):
    command = [sys.executable, "-m", "flanbuild", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_missing_evaluation_set_is_one_sentence_with_the_command_that_makes_it(tmp_path):
    rows = [toys.evaluation_row(60, 0)]
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    toys.hold_out(tmp_path / "mixture", tmp_path / "elsewhere", {"rte": (["accuracy"], rows)})

    run = flanbuild("evaluate", "model", "mixture", cwd=tmp_path)

    assert run.returncode == 1
    assert "data/evaluation/nli/rte: no evaluation set of rte; `flanbuild evalset rte` makes it" in run.stderr
    assert "Traceback" not in run.stderr
