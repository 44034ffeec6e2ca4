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


def test_an_export_in_an_unknown_layout_is_one_sentence(tmp_path):
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])

    run = flanbuild("export", "mixture", "--to", "lm_eval", "--out", "out", cwd=tmp_path)

    assert run.returncode == 2
    assert run.stderr.strip() == "flanbuild: export: no layout 'lm_eval'. Did you mean 'lm-eval'?"


def test_an_export_says_what_it_wrote(tmp_path):
    rows = [toys.evaluation_row(60, template) for template in (0, 1)]
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    toys.hold_out(tmp_path / "mixture", tmp_path / "data/evaluation", {"rte": (["accuracy"], rows)})

    run = flanbuild("export", "mixture", "--to", "lm-eval", "--out", "out", cwd=tmp_path)

    assert run.stdout.strip() == "out: 2 rows of 1 tasks; 0 left out."
