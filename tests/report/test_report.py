import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from evaluation_folder import (
    HUB,
    MATCH,
    NOT_SEARCHED,
    SEARCHED,
    change,
    metric_scores,
    model_run,
    score_record,
    write_evaluation,
)
from ruamel.yaml import YAML

from flanbuild.artifacts.records import read_record
from flanbuild.cli.table import print_table
from flanbuild.errors import ArtifactError
from flanbuild.evaluation.record import PaperScores, ScoreRecord
from flanbuild.report.report import report, write_metrics

pytestmark = pytest.mark.needs("report")

FIGURES = "60.0 ± 5.0 (2.5) | 55.0 | 40.0 ± 5.0 (2.5) | 35.0 | +20.0 [+9.0, +31.0] | 50.0 | 50.0"


@pytest.fixture
def evaluation(tmp_path):
    return write_evaluation(tmp_path / "reports" / "nli")


def markdown(evaluation: Path, out: Path) -> str:
    report([evaluation], out)
    return (out / "report.md").read_text()


def test_the_first_line_says_which_model_was_trained_on_what(evaluation, tmp_path):
    assert markdown(evaluation, tmp_path / "out").splitlines()[0] == (
        "Model: llama, 665,728 parameters, trained from random weights for 100 steps on 3,923 examples of the mixture toy"
        " without nli. Source of the rows: the embedded sample world, not the real datasets. Scored zero-shot on 2 held-out"
        " tasks, n = 40 rows."
    )


def test_sample_rows_have_no_column_of_the_paper(evaluation, tmp_path):
    page = markdown(evaluation, tmp_path / "out")
    assert f"| rte | accuracy | 20 | {FIGURES} |\n" in page
    assert "137B" not in page


def test_real_rows_stand_beside_the_paper_where_it_reports_the_task(evaluation, tmp_path):
    record = read_record(evaluation / "scores.json", ScoreRecord)
    paper = PaperScores(mean=78.3, sd=7.9, best=84.1, checked="mean")
    rte = metric_scores(60.0).model_copy(update={"paper": paper})
    scores = {"nli": {**record.scores["nli"], "rte": {"accuracy": rte}}}
    change(evaluation, scores=scores, sources=dict.fromkeys(record.sources, HUB))
    page = markdown(evaluation, tmp_path / "out")
    assert f"| rte | accuracy | 20 | {FIGURES} | 78.3 ± 7.9* | 84.1 |" in page
    assert "| +15.0 [+4.0, +26.0] | 50.0 | 50.0 | – | – |" in page  # cb, which has no figure
    assert "FLAN 137B is the paper's model" in page
    assert f"| rte | scored | hub | aps/super_glue | rte | {'c' * 12} |" in page


def test_the_last_row_of_a_cluster_is_the_mean_of_its_tasks(evaluation, tmp_path):
    # (60 + 55) / 2, (20 + 15) / 2; 1.96 × √(5.6² + 5.6²) / 2 = 7.8
    mean = "57.5 | 52.5 | 40.0 | 35.0 | +17.5 [+9.7, +25.3] | 50.0 | 50.0"
    assert f"| mean of 2 tasks |  | 40 | {mean} |" in markdown(evaluation, tmp_path / "out")


def test_a_task_of_few_rows_does_not_move_the_mean_of_its_cluster(evaluation, tmp_path):
    record = read_record(evaluation / "scores.json", ScoreRecord)
    tasks = {**record.scores["nli"], "few": {"accuracy": metric_scores(1.0, rows=2)}}
    change(evaluation, scores={"nli": tasks}, metrics={**record.metrics, "few": ("accuracy",)})
    assert "| mean of 2 tasks |  | 40 | 57.5 |" in markdown(evaluation, tmp_path / "out")


def test_trained_tasks_have_a_table_of_their_own(evaluation, tmp_path):
    page = markdown(evaluation, tmp_path / "out")
    assert "### Tasks trained on, dev rows" in page
    assert "| trec | accuracy | 20 |" in page


def test_the_report_names_what_was_left_out_and_truncated(evaluation, tmp_path):
    run = model_run(truncated_prompts={"cb": 3}, border_merges={"rte": 2}, constant={"cb": {"no": 2}})
    gone = {"nli/gone": "the task has no test split"}
    change(evaluation, models={"tuned": run}, not_asked={"untuned": "no such folder"}, not_evaluated=gone)
    page = markdown(evaluation, tmp_path / "out")
    assert "- nli/gone was not evaluated: the task has no test split" in page
    assert "- The untuned model was left out: no such folder" in page
    assert "| Prompts that were cut to fit the model | cb | tuned | 3 |" in page
    assert "| cb | tuned | no | 2 of 2 |" in page


def test_the_report_says_what_was_held_out_and_by_which_rule(evaluation, tmp_path):
    page = markdown(evaluation, tmp_path / "out")
    assert "| rte | nli | named | held out: --holdout nli | yes |" in page
    assert "| mrpc | paraphrase | goes with it | related to nli (paper, section 2.2) | no |" in page


def test_the_report_says_what_was_run(evaluation, tmp_path):
    page = markdown(evaluation, tmp_path / "out")
    assert "- Mixture: toy without nli, digest 0123" in page
    assert f"| tuned | llama | 665,728 | model.safetensors {'w' * 16} |" in page
    assert "- Evaluation settings: examples 20, templates 2" in page
    assert "- Training settings: learning_rate 0.003, steps 100" in page


@pytest.mark.parametrize(("rule", "removed"), [("drop", "1,903"), ("report", "0")])
def test_the_report_shows_which_tasks_carry_held_out_rows(evaluation, tmp_path, rule, removed):
    change(evaluation, contamination=SEARCHED.model_copy(update={"rule": rule, "found": (MATCH,)}))
    page = markdown(evaluation, tmp_path / "out")
    assert f"| wnli | wsc | {rule} | 1,901 | 2 | 3 | 180 | {removed} | 83 | 4 |" in page


@pytest.mark.parametrize(
    ("contamination", "sentence"),
    [
        (SEARCHED, "No contamination found: no training row carries one of 1,104 evaluation rows."),
        (NOT_SEARCHED, "Not searched: nothing is held out"),
    ],
)
def test_the_report_says_what_the_check_for_contamination_came_to(
    evaluation, tmp_path, contamination, sentence
):
    change(evaluation, contamination=contamination)
    assert sentence in markdown(evaluation, tmp_path / "out")


def test_a_text_cannot_break_a_table_of_the_markdown(evaluation, tmp_path):
    change(evaluation, models={"tuned": model_run(constant={"cb": {"a | b\n<b>": 1}})})
    assert "| cb | tuned | a \\| b &lt;b> | 1 of 2 |" in markdown(evaluation, tmp_path / "out")


def test_every_picture_of_the_markdown_is_there(evaluation, tmp_path):
    page = markdown(evaluation, tmp_path / "out")
    pictures = {line.split("(")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")}
    files = {path.name for path in (tmp_path / "out").glob("*.svg")}
    assert pictures == files == {"losses-nli.svg", "spread-nli-nli.svg"}
    for name in files:
        svg = (tmp_path / "out" / name).read_text()
        assert svg.startswith("<svg ")
        assert not re.search(r"var\(|currentColor|href", svg)


def test_equal_evaluations_give_equal_bytes_in_every_process(evaluation, tmp_path):
    report([evaluation], tmp_path / "one")
    command = [sys.executable, "-m", "flanbuild", "report", str(evaluation), "--out", str(tmp_path / "two")]
    subprocess.run(command, check=True, capture_output=True)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {path.name for path in (tmp_path / "two").iterdir()}
    for name in names:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name


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


def test_a_pipe_gets_plain_tables_with_contamination_last(evaluation, tmp_path, capsys):
    change(evaluation, contamination=SEARCHED.model_copy(update={"found": (MATCH,)}))
    tables = report([evaluation], tmp_path / "out")
    for table in tables:
        print_table(*table)
    assert "rte\taccuracy\t20\t60.0 ± 5.0" in capsys.readouterr().out
    assert tables[-1].title == "nli: Contamination"


def test_several_evaluations_are_compared_row_by_row(evaluation, tmp_path):
    other = write_evaluation(tmp_path / "reports" / "longer")
    used = score_record().training.used.model_copy(update={"steps": 500})
    change(other, training=score_record().training.model_copy(update={"used": used}))
    tables = report([evaluation, other], tmp_path / "out")
    assert [row[:5] for row in tables[0].rows] == [
        ["longer", "nli", "llama, 665,728 parameters", "500", "3,923"],
        ["nli", "nli", "llama, 665,728 parameters", "100", "3,923"],
    ]
    page = (tmp_path / "out/report.md").read_text()
    assert page.index("| longer | nli |") < page.index("## longer") < page.index("## nli")


def test_a_model_that_was_not_trained_here_has_no_losses(evaluation, tmp_path):
    (evaluation / "training.csv").unlink()
    report([evaluation], tmp_path / "out")
    assert not list((tmp_path / "out").glob("losses*"))


def test_the_report_is_no_evaluation_of_itself(evaluation):
    out = evaluation.parent / "summary"
    report(evaluation.parent.iterdir(), out)
    report(sorted(evaluation.parent.iterdir()), out)
    assert (out / "report.md").is_file()


def test_a_report_of_fewer_figures_leaves_none_of_the_earlier_one(evaluation, tmp_path):
    report([evaluation], tmp_path / "out")
    (tmp_path / "out" / "losses.png").touch()
    (evaluation / "training.csv").unlink()
    report([evaluation], tmp_path / "out")
    assert not list((tmp_path / "out").glob("losses*"))


def test_scores_of_another_format_are_named(evaluation, tmp_path):
    (evaluation / "scores.json").write_text('{"format": 1}')
    with pytest.raises(ArtifactError, match=r"scores\.json: format 1 instead of 5"):
        report([evaluation], tmp_path / "out")


def test_the_file_of_metrics_has_the_numbers_of_scores_json(evaluation, tmp_path):
    write_metrics(evaluation, tmp_path / "metrics" / "nli.json")

    found = json.loads((tmp_path / "metrics" / "nli.json").read_text())
    tasks = read_record(evaluation / "scores.json", ScoreRecord).scores["nli"]
    assert found["tasks"] == {name: task["accuracy"].tuned.mean for name, task in tasks.items()}
    assert found["nli"] == {
        "tuned": 57.5,
        "untuned": 40.0,
        "best_on_dev": 52.5,
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
