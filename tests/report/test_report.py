import csv
import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from flanbuild.artifacts.records import (
    ContaminationMatch,
    ContaminationRecord,
    ReferenceCount,
    read_record,
    write_record,
)
from flanbuild.cli.table import print_table
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.evaluation.record import (
    Difference,
    MetricScores,
    ModelRun,
    PaperScores,
    ScoreRecord,
    TemplateScores,
)
from flanbuild.model.record import Environment, MixtureRef
from flanbuild.report.report import report, write_metrics

pytestmark = pytest.mark.needs("report")

FIGURES = TemplateScores(
    mean=60.0,
    sd=5.0,
    stderr=2.5,
    best=65.0,
    best_template=0,
    worst=55.0,
    worst_template=1,
    best_on_dev=55.0,
    best_on_dev_template=1,
    templates=2,
)


MATCH = ContaminationMatch(
    task="wnli",
    reference="wsc",
    item=1_901,
    question=2,
    passage=3,
    exact=180,
    test_items=83,
    dev_items=4,
    examples=((5, 6),),
)
NOT_SEARCHED = ContaminationRecord(
    rule="drop", ngram=8, threshold=0.3, normalization=1, matching=1, references={}, found=()
)
SEARCHED = NOT_SEARCHED.model_copy(
    update={"references": {"wsc": ReferenceCount(rows=1_104, digest="d" * 64)}}
)


@pytest.fixture
def evaluation(tmp_path):
    """A folder as `evaluate` writes it, with two tasks."""
    folder = tmp_path / "reports" / "nli"
    folder.mkdir(parents=True)
    accuracy = MetricScores(
        rows=20,
        tuned=FIGURES,
        untuned=FIGURES.model_copy(update={"mean": 40.0}),
        difference=Difference(mean=20.0, low=8.0, high=31.0),
        majority=50.0,
        random=50.0,
    )
    paper = PaperScores(mean=78.3, sd=7.9, best=84.1, checked="mean")
    tasks = {"rte": {"accuracy": accuracy.model_copy(update={"paper": paper})}, "cb": {"accuracy": accuracy}}
    run = ModelRun(
        name=None,
        revision=None,
        weights={"model.safetensors": "w" * 64},
        tokenizer="t" * 64,
        dtype="float32",
        attention="sdpa",
        ranking="trees",
        truncated_prompts={"cb": 3},
        border_merges={"rte": 2},
        constant={"cb": {"no": 2}},
    )
    record = ScoreRecord.of(
        mixture=MixtureRef(name="toy", digest="0123"),
        holdout=("nli",),
        contamination=SEARCHED,
        protocol="flan",
        config={"examples": 10, "tokenizer": None},
        evaluation_sets={},
        models={"tuned": run},
        not_asked={"untuned": "no such folder"},
        scores={"nli": tasks},
        seen={"misc": {"trec": {"accuracy": accuracy}}},
        metrics={"rte": ("accuracy",), "cb": ("accuracy",), "trec": ("accuracy",)},
        not_evaluated={"nli/gone": "the task has no test split"},
        environment=Environment(device="cpu", versions={}),
    )
    write_record(folder / "scores.json", record)
    lines = [
        f"{m},nli,{t},test,accuracy,{i},{60 + i},10"
        for m in ("tuned", "untuned")
        for t in ("rte", "cb")
        for i in (0, 1)
    ]
    (folder / "templates.csv").write_text(
        "model,cluster,task,split,metric,template,score,rows\n" + "\n".join(lines) + "\n"
    )
    (folder / "training.csv").write_text("step,loss,learning_rate\n1,5.0,0.1\n2,4.0,0.1\n")
    (folder / "validation.csv").write_text("step,loss\n2,4.5\n")
    return folder


def test_the_page_shows_each_task_beside_its_baselines_and_the_paper(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    page = (tmp_path / "out/report.md").read_text()
    figures = "20 | 60.0 ± 5.0 (2.5) | 55.0 | 40.0 ± 5.0 (2.5) | 55.0 | +20.0 [+8.0, +31.0] | 50.0 | 50.0"
    assert f"| rte | accuracy | {figures} | 78.3 ± 7.9* | 84.1 |" in page
    assert f"| cb | accuracy | {figures} | – | – |" in page
    mean = "60.0 | 55.0 | 40.0 | 55.0 | 20.0 | 50.0 | 50.0 | – | –"
    assert f"| mean of 2 tasks |  |  | {mean} |" in page


def test_a_task_of_few_rows_does_not_move_the_mean_of_its_cluster(evaluation, tmp_path):
    record = read_record(evaluation / "scores.json", ScoreRecord)
    few = record.scores["nli"]["cb"]["accuracy"].model_copy(update={"rows": 2})
    tasks = {**record.scores["nli"], "few": {"accuracy": few}}
    metrics = {**record.metrics, "few": ("accuracy",)}
    write_record(evaluation / "scores.json", record.with_changes(scores={"nli": tasks}, metrics=metrics))
    report([evaluation], tmp_path / "out")
    assert "| mean of 2 tasks |" in (tmp_path / "out/report.md").read_text()


def test_trained_tasks_have_a_table_of_their_own(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    page = (tmp_path / "out/report.md").read_text()
    assert "### misc, trained on, dev rows" in page
    assert "| trec | accuracy | 20 |" in page


def test_the_page_names_what_was_left_out_and_truncated(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    page = (tmp_path / "out/report.md").read_text()
    assert "- nli/gone: the task has no test split" in page
    assert "- untuned: no such folder" in page
    assert "- tuned, cb: 3" in page
    assert "- tuned, rte: 2" in page
    assert "- tuned, cb: always answers 'no' under 2 of 2 templates" in page


def test_the_page_says_what_was_run(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    page = (tmp_path / "out/report.md").read_text()
    assert "Mixture `toy` without nli, digest `0123`. Protocol flan, run on cpu." in page
    assert f"- tuned: model folder, model.safetensors `{'w' * 16}`, float32, options ranked by trees" in page
    assert "- settings: examples 10" in page


def contamination_on_page(evaluation: Path, out: Path, contamination: ContaminationRecord) -> str:
    record = read_record(evaluation / "scores.json", ScoreRecord)
    write_record(evaluation / "scores.json", record.with_changes(contamination=contamination))
    report([evaluation], out)
    return (out / "report.md").read_text().split("### Contamination")[1]


@pytest.mark.parametrize(("rule", "removed"), [("drop", "1,903"), ("report", "0")])
def test_the_page_shows_which_tasks_carry_held_out_rows(evaluation, tmp_path, rule, removed):
    found = SEARCHED.model_copy(update={"rule": rule, "found": (MATCH,)})
    page = contamination_on_page(evaluation, tmp_path / "out", found)
    assert f"| wnli | wsc | {rule} | 1,901 | 2 | 3 | 180 | {removed} | 83 | 4 |" in page


def test_the_page_says_that_no_contamination_was_found(evaluation, tmp_path):
    page = contamination_on_page(evaluation, tmp_path / "out", SEARCHED)
    assert "No contamination found: no training row carries one of 1,104 evaluation rows." in page


def test_the_page_says_that_contamination_was_not_searched(evaluation, tmp_path):
    page = contamination_on_page(evaluation, tmp_path / "out", NOT_SEARCHED)
    assert "Not searched" in page


def test_a_pipe_gets_the_contamination(evaluation, tmp_path):
    record = read_record(evaluation / "scores.json", ScoreRecord)
    found = SEARCHED.model_copy(update={"found": (MATCH,)})
    write_record(evaluation / "scores.json", record.with_changes(contamination=found))
    titles = [table.title for table in report([evaluation], tmp_path / "out")]
    assert titles[-1] == "nli: contamination"


def test_every_picture_of_the_page_is_there(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    page = (tmp_path / "out/report.md").read_text()
    pictures = {line.split("(")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")}
    assert (
        pictures
        == {path.name for path in (tmp_path / "out").glob("*.png")}
        == {"losses.png", "spread-nli-nli.png"}
    )


def test_equal_evaluations_give_equal_bytes(evaluation, tmp_path):
    for out in ("one", "two"):
        report([evaluation], tmp_path / out)
    assert all(
        (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()
        for path in (tmp_path / "one").iterdir()
    )


def test_series_carry_the_name_of_their_evaluation(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    with (tmp_path / "out/training.csv").open() as file:
        assert list(csv.DictReader(file))[1] == {
            "evaluation": "nli",
            "step": "2",
            "loss": "4.0",
            "learning_rate": "0.1",
        }


def test_scores_are_there_for_a_program(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    with (tmp_path / "out/scores.csv").open() as file:
        found = {tuple(list(row.values())[:7]): row["value"] for row in csv.DictReader(file)}
    assert found["nli", "held out", "nli", "rte", "accuracy", "untuned", "mean"] == "40.0"
    assert found["nli", "held out", "nli", "rte", "accuracy", "majority", "mean"] == "50.0"


def test_a_pipe_gets_plain_tables(evaluation, tmp_path, capsys):
    for table in report([evaluation], tmp_path / "out"):
        print_table(*table)

    assert "rte\taccuracy\t20\t60.0 ± 5.0" in capsys.readouterr().out


def test_a_model_that_was_not_trained_here_has_no_losses(evaluation, tmp_path):
    (evaluation / "training.csv").unlink()
    report([evaluation], tmp_path / "out")
    assert not (tmp_path / "out/losses.png").exists()


def test_the_report_is_no_evaluation_of_itself(evaluation):
    out = evaluation.parent / "summary"
    report(evaluation.parent.iterdir(), out)
    report(sorted(evaluation.parent.iterdir()), out)
    assert (out / "report.md").is_file()


def test_a_folder_without_scores_is_named(evaluation, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"empty: no scores\.json"):
        report([evaluation, tmp_path / "empty"], tmp_path / "out")


def test_scores_of_another_format_are_named(evaluation, tmp_path):
    (evaluation / "scores.json").write_text('{"format": 1}')
    with pytest.raises(ArtifactError, match=r"scores\.json: format 1 instead of 4"):
        report([evaluation], tmp_path / "out")


def test_nothing_to_report_is_an_error():
    with pytest.raises(DeclarationError, match="no folder"):
        report([], Path("out"))


def test_the_file_of_metrics_has_the_numbers_of_scores_json(evaluation, tmp_path):
    write_metrics(evaluation, tmp_path / "metrics" / "nli.json")

    found = json.loads((tmp_path / "metrics" / "nli.json").read_text())
    tasks = read_record(evaluation / "scores.json", ScoreRecord).scores["nli"]
    assert found["tasks"] == {name: task["accuracy"].tuned.mean for name, task in tasks.items()}
    assert found["nli"] == {
        "tuned": 60.0,
        "untuned": 40.0,
        "best_on_dev": 55.0,
        "majority": 50.0,
        "random": 50.0,
    }


def test_every_plot_of_dvc_yaml_has_its_file_and_columns(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    plots = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["plots"]
    for plot in (plot for entry in plots for plot in entry.values()):
        axes = [axis for axis in (plot["x"], plot["y"]) if isinstance(axis, dict)]
        shared = [axis for axis in (plot["x"], plot["y"]) if isinstance(axis, str)]
        for path, columns in ((path, columns) for axis in axes for path, columns in axis.items()):
            with (tmp_path / "out" / Path(path).name).open() as file:
                header = next(csv.reader(file))
            wanted = [columns] if isinstance(columns, str) else columns
            assert {*wanted, *shared} <= set(header), path


def test_two_evaluations_of_one_name_are_refused(evaluation, tmp_path):
    other = shutil.copytree(evaluation, tmp_path / "other" / "nli")
    with pytest.raises(DeclarationError, match="have one name"):
        report([evaluation, other], tmp_path / "out")
