"""The page has the numbers of scores.json, loads nothing, and shows every text as a text."""

from itertools import pairwise

import pytest
from evaluation_folder import change, metric_scores, model_run, sample, write_evaluation
from html_tables import number, parse

from flanbuild.artifacts.records import read_record, write_record
from flanbuild.evaluation.record import SampleRecord, ScoreRecord
from flanbuild.report.report import report

pytestmark = pytest.mark.needs("report")

EVIL = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>"
SECTIONS = [
    "scores",
    "spread",
    "seen",
    "losses",
    "composition",
    "held-out",
    "contamination",
    "samples",
    "provenance",
]


@pytest.fixture
def evaluation(tmp_path):
    return write_evaluation(tmp_path / "reports" / "nli")


def shown(*evaluations, out):
    report(evaluations, out)
    return parse((out / "report.html").read_text())


@pytest.fixture
def page(evaluation, tmp_path):
    return shown(evaluation, out=tmp_path / "out")


def value(text: str) -> float:
    return float(text.split()[0].replace("−", "-"))


@pytest.mark.parametrize(
    ("caption", "group"), [("nli, held out", "scores"), ("Tasks trained on, dev rows", "seen")]
)
def test_every_number_of_a_table_is_that_of_scores_json(page, evaluation, caption, group):
    record = read_record(evaluation / "scores.json", ScoreRecord)
    (tasks,) = getattr(record, group).values()

    rows = {row["task"]: row for row in page.tables[caption] if not row["task"].startswith("mean")}

    assert set(rows) == set(tasks)
    for task, row in rows.items():
        scores = tasks[task]["accuracy"]
        assert number(row["n"]) == scores.rows
        for column, model in (("tuned", scores.tuned), ("untuned", scores.untuned)):
            assert row[column] == f"{model.mean:.1f} ± {model.sd:.1f} ({model.stderr:.1f})"
            assert value(row[f"{column}, best on dev"]) == model.best_on_dev
        assert value(row["tuned − untuned"]) == scores.difference.mean
        assert (
            row["tuned − untuned"].split("[")[1]
            == f"{scores.difference.low:+.1f}, {scores.difference.high:+.1f}]"
        )
        assert (value(row["majority"]), value(row["random"])) == (scores.majority, scores.random)


def test_trained_and_held_out_means_stand_in_one_table(page):
    rows = page.tables["Means over the tasks of 20 rows or more"]

    assert [(row["tasks"], row["number"], row["tuned"]) for row in rows] == [
        ("held out: nli", "2", "57.5"),
        ("trained on, dev rows", "1", "80.0"),
    ]


def test_the_composition_is_that_of_the_record(page):
    rows = page.tables["Training examples by cluster"]

    assert [(row["cluster"], row["examples"], row["share"]) for row in rows] == [
        ("commonsense", "100", "25.00%"),
        ("misc", "300", "75.00%"),
    ]


def test_every_held_out_task_has_its_rule(page):
    rows = {row["task"]: (row["how"], row["rule"]) for row in page.tables["Held-out tasks"]}

    assert rows["rte"] == ("named", "held out: --holdout nli")
    assert rows["mrpc"] == ("goes with it", "related to nli (paper, section 2.2)")


def test_the_page_begins_with_the_sentences_of_the_markdown(page, tmp_path):
    markdown = (tmp_path / "out/report.md").read_text()

    first = markdown.splitlines()[0]
    assert "the embedded sample world, not the real datasets" in first
    assert first in page.visible
    assert page.visible.index(first) < page.visible.index("Held out: nli. Mean over 2 tasks")


def test_sections_stand_in_the_order_in_which_a_reader_asks(page):
    assert [attributes["id"] for name, attributes in page.tags if name == "section"] == SECTIONS


def test_answers_stand_below_their_prompts_right_and_wrong(page):
    assert page.texts.count("It rains. Is the street wet?\n") == 2
    assert "✓ right: row 7, template 1" in page.visible
    assert "✗ wrong: row 7, template 1" in page.visible


def test_texts_of_an_evaluation_never_become_markup(evaluation, tmp_path):
    texts = {"prompt": EVIL, "options": (EVIL, "b"), "answers": (EVIL,)}
    evil = sample(**texts, predictions={"tuned": EVIL, "untuned": EVIL})
    write_record(evaluation / "samples.json", SampleRecord.of(samples={EVIL: (evil,)}))
    change(evaluation, models={"tuned": model_run(constant={"cb": {"<b>no</b>": 2}}, name=EVIL)})

    page = shown(evaluation, out=tmp_path / "out")

    assert not {"script", "img", "b"} & {name for name, _ in page.tags}
    assert EVIL in page.texts
    assert "<b>no</b>" in page.visible


def test_the_page_loads_nothing(page):
    links = [a.get("href") or a.get("src") for _, a in page.tags if a.get("href") or a.get("src")]

    assert links
    assert all(link.startswith("#") for link in links)
    assert not {"link", "img", "iframe", "object", "embed", "base", "script"} & {
        name for name, _ in page.tags
    }


def test_every_link_and_label_has_its_target_with_two_evaluations_too(evaluation, tmp_path):
    other = write_evaluation(tmp_path / "reports" / 'a "name"')

    page = shown(evaluation, other, out=tmp_path / "out")

    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        target = (attributes.get("href") or "").removeprefix("#") or attributes.get("aria-labelledby")
        assert target is None or target in ids


def test_several_evaluations_begin_with_a_table_of_them(evaluation, tmp_path):
    page = shown(evaluation, write_evaluation(tmp_path / "reports" / "b"), out=tmp_path / "out")

    assert [row["evaluation"] for row in page.tables["Evaluations"]] == ["b", "nli"]
    source = "2 evaluations. Source of the rows: the embedded sample world, not the real datasets."
    places = [page.visible.index(text) for text in (source, "Evaluations", "Scores by task")]
    assert places == sorted(places)


def test_a_chart_says_how_many_rows_it_stands_on(page):
    assert "nli, n = 20 rows per task" in page.visible


def test_every_chart_has_a_description(page):
    charts = [a for name, a in page.tags if name == "svg"]

    assert len(charts) == 5  # held out, spread, trained, losses, composition
    assert all(a["role"] == "img" and a["aria-label"] for a in charts)


def test_headings_go_down_one_level_at_a_time(evaluation, tmp_path):
    other = write_evaluation(tmp_path / "reports" / "b")

    for evaluations in ([evaluation], [evaluation, other]):
        page = shown(*evaluations, out=tmp_path / "out")
        levels = [int(name[1]) for name, _ in page.tags if name in ("h1", "h2", "h3", "h4")]
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))


def test_a_model_without_training_record_has_no_composition_and_no_losses(evaluation, tmp_path):
    change(evaluation, training=None, trained_on={})
    (evaluation / "training.csv").unlink()

    page = shown(evaluation, out=tmp_path / "out")

    assert "The folder of the model has no losses." in page.visible
    assert "The manifest of the mixture lists no tasks." in page.visible


def test_a_column_without_numbers_is_left_out(evaluation, tmp_path):
    no_dev = metric_scores(80.0)
    tuned = no_dev.tuned.model_copy(update={"best_on_dev": None})
    change(evaluation, seen={"misc": {"trec": {"accuracy": no_dev.model_copy(update={"tuned": tuned})}}})

    (row,) = shown(evaluation, out=tmp_path / "out").tables["Tasks trained on, dev rows"]

    assert "tuned, best on dev" not in row
    assert row["untuned, best on dev"] == "35.0"
