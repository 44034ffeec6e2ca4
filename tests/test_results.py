"""`make results` names settings that exist."""

import re
import subprocess
from dataclasses import fields

import pytest
from conftest import ROOT

from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.training.config import TrainConfig

CONFIGS = {"TRAIN": TrainConfig, "EVALUATE": EvaluateConfig}


@pytest.mark.parametrize("size", ["gpu", "cpu"])
@pytest.mark.parametrize("stage", CONFIGS)
def test_every_option_of_a_stage_is_a_setting_of_it(stage, size):
    line = re.search(rf"^{stage}_{size} := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    names = {name.replace("-", "_") for name in re.findall(r"--([a-z-]+)", line[1])}
    assert names
    assert names <= {field.name for field in fields(CONFIGS[stage])}


def test_a_finished_study_runs_only_the_report(tmp_path):
    done = [tmp_path / "models/nli/training.json", tmp_path / "reports/nli/scores.json"]
    for path in done:
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "ready").touch()
    command = ["make", "-n", "results", "SIZE=cpu", f"RESULTS={tmp_path}", f"VENV={tmp_path}"]
    run = subprocess.run(
        [*command, "-o", f"{tmp_path}/ready"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    stages = re.findall(r"python -m flanbuild (\w+)", run.stdout)
    assert stages == ["report"]
