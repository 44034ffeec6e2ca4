"""A study is run as DVC experiments: each run once, the workspace untouched, a failure told in one sentence."""

import subprocess
import sys

import pytest

from flanbuild.artifacts.records import read_record
from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.study.declaration import Point, Run, Study
from flanbuild.study.run import RunRecord, finished, run_studies, runs_of

pytestmark = pytest.mark.needs("dvc")

PIPELINE = """\
stages:
  report:
    foreach: ${holdouts}
    do:
      cmd: python score.py ${train.steps} reports/holdouts/${key}
      deps: [score.py]
      outs:
        - reports/holdouts/${key}
"""
SCRIPT = """\
import sys
from pathlib import Path

if sys.argv[1] == "13":
    sys.exit("flanbuild: thirteen steps are too many.")
folder = Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for name in ("scores.json", "predictions.arrow"):
    (folder / name).write_text(sys.argv[1])
(folder / "predictions.arrow").write_text(str(Path.cwd()))
"""


def git(folder, *given):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *given]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def state(folder):
    """What git sees of the workspace."""
    done = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout, (folder / "params.yaml").read_text(), (folder / "score.py").read_text()


def study(*steps, settings=""):
    points = (Point(str(n), (Run(f"steps-{n}", "nli", {"train.steps": n}, f"{settings}{n}"),)) for n in steps)
    return Study("steps", "Steps", "steps", "nli", "sample", tuple(points))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A DVC project of one stage, with a change that is not committed."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "score.py").write_text(SCRIPT)
    (folder / "params.yaml").write_text("train: {steps: 1}\nholdouts: {nli: {holdout: [nli]}}\n")
    (folder / ".gitignore").write_text("/reports\n")
    git(folder, "init", "--quiet")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=folder, check=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a project")
    git(folder, "config", "user.name", "a")
    git(folder, "config", "user.email", "a@example.org")
    (folder / "score.py").write_text(
        SCRIPT.replace("write_text(sys.argv[1])", 'write_text(sys.argv[1] + " steps")')
    )
    monkeypatch.chdir(folder)
    return folder


def test_runs_are_experiments_of_the_workspace_which_stays_as_it_is(project):
    before = state(project)

    run_studies([study(2, 3)], project / "reports" / "studies")

    runs = project / "reports" / "studies" / "runs"
    assert [(runs / f"steps-{n}" / "scores.json").read_text() for n in (2, 3)] == ["2 steps", "3 steps"]
    assert state(project) == before
    listed = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "list", "--all-commits", "--name-only"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(listed.stdout.split()) == ["steps-2", "steps-3"]


def test_dvc_works_in_a_clone_so_that_a_killed_study_leaves_no_overrides_behind(project):
    left = project / ".dvc" / "tmp" / "studies"
    left.mkdir(parents=True)
    (left / "of a killed study").touch()

    run_studies([study(2)], project / "reports" / "studies")

    where = (project / "reports" / "studies" / "runs" / "steps-2" / "predictions.arrow").read_text()
    assert where.startswith(str(left))
    assert not left.exists()


def test_a_stopped_study_goes_on_and_runs_nothing_twice(project):
    out = project / "reports" / "studies"
    with pytest.raises(
        ExecutionError, match=r"flanbuild: thirteen steps are too many. See .*steps-13.log"
    ) as error:
        run_studies([study(2, 13)], out)
    assert "\n" not in str(error.value)
    first = read_record(out / "runs" / "steps-2" / "record.json", RunRecord)

    (project / "score.py").write_text((project / "score.py").read_text())
    run_studies([study(2, 4)], out)

    assert read_record(out / "runs" / "steps-2" / "record.json", RunRecord) == first
    assert finished([study(2, 4)], out) == [study(2, 4)]


def test_a_run_of_other_settings_or_code_is_run_again_under_its_name(project):
    out = project / "reports" / "studies"
    run_studies([study(2)], out)

    assert finished([study(2, settings="other")], out) == []
    run_studies([study(2, settings="other")], out)
    assert finished([study(2, settings="other")], out)

    (project / "score.py").write_text(SCRIPT)
    assert finished([study(2, settings="other")], out) == []


def test_a_folder_without_dvc_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DeclarationError, match="this folder is no DVC project"):
        run_studies([study(2)], tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_a_document_that_no_stage_reads_makes_no_run_stale(project):
    out = project / "reports" / "studies"
    run_studies([study(2)], out)
    (project / "README.md").write_text("new\n")
    git(project, "add", "README.md")

    assert finished([study(2)], out)
    assert [run.name for run in runs_of([study(2)])] == ["steps-2"]
