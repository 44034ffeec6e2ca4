"""`flanbuild import`: one place for its results, the same checks as for the hub."""

from pathlib import Path

import pytest
from hub_world import fewer_rows, given_files
from typer.testing import CliRunner

from flanbuild.cli.app import app
from flanbuild.errors import SourceError
from flanbuild.sources.imports import import_files


def test_an_import_outside_a_project_writes_only_below_the_folder_of_imports(pages, tmp_path, monkeypatch):
    tasks = pages(name="own")
    (tmp_path / "train.csv").write_text("premise,hypothesis,label\na,b,entailment\n")
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)

    result = CliRunner().invoke(app, ["import", "own", str(tmp_path / "train.csv"), "--tasks", str(tasks)])

    assert result.exit_code == 0, result.output
    assert {path.parts[:2] for path in (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())} == {
        ("data", "imported")
    }


def test_a_folder_in_place_of_a_file_is_told_so(tmp_path):
    result = CliRunner().invoke(app, ["import", "rte", f"train={tmp_path}"])

    assert f"import: {tmp_path}: not a file." in str(result.output)


def test_fewer_rows_than_the_task_file_declares_are_refused(tasks, tmp_path):
    task = tasks["story_cloze"]
    given = given_files(task, tmp_path / "given", rows=20)

    with pytest.raises(
        SourceError, match=r"story_cloze.yaml: source.rows.test: expected 1,871 rows, but .* has 20"
    ):
        import_files(task, given, tmp_path / "imported")


def test_an_odd_quotation_mark_stops_an_import(tasks, tmp_path):
    task = fewer_rows(tasks["story_cloze"])
    [first, *rest] = given_files(task, tmp_path / "given", rows=20)
    lines = Path(first).read_text(encoding="utf-8").splitlines(keepends=True)
    lines[5] = '"' + lines[5].replace('"', "")
    lines[9] = '"' + lines[9].replace('"', "")
    Path(first).write_text("".join(lines), encoding="utf-8")

    with pytest.raises(SourceError, match=r"\.csv:6: text follows a closing quotation mark"):
        import_files(task, [first, *rest], tmp_path / "imported")
