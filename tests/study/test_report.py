"""Table, CSV file, plot and page of a study show the same figures."""

import csv

import pytest
from html_tables import parse
from study_world import study, write_run

from flanbuild.study.report import header, write
from flanbuild.study.results import results

pytestmark = pytest.mark.needs("report")
HALF = [True] * 10 + [False] * 10
MORE = [True] * 14 + [False] * 6


@pytest.fixture
def out(tmp_path):
    write_run(tmp_path, "templates-1", {"rte": HALF}, seen={"trec": HALF})
    write_run(tmp_path, "templates-4", {"rte": MORE}, seen={"trec": MORE})
    declared = study({"1": ["templates-1"], "4": ["templates-4"]})
    write([results(declared, tmp_path)], tmp_path)
    return tmp_path


def test_the_table_has_a_row_for_each_point(out):
    page = (out / "templates" / "study.md").read_text()

    assert "| templates | held out | difference [95 %] | trained tasks | majority |" in page
    assert "| 1 | 50.0 ± 11.5 | – | 50.0 ± 11.5 | 55.0 |" in page
    assert "| 4 | 70.0 ± 10.5 | +20.0 [+2.0, +38.0] | 70.0 ± 10.5 | 55.0 |" in page


def test_the_csv_file_has_the_figures_of_the_table_and_the_experiments(out):
    with (out / "templates" / "points.csv").open(newline="") as file:
        first, second = csv.DictReader(file)

    assert (first["held_out"], first["difference"]) == ("50.0000", "")
    assert (second["held_out"], second["difference"]) == ("70.0000", "20.0000")
    assert second["experiments"] == "templates-4"


def test_the_page_has_the_figures_of_the_table_and_says_that_rows_are_synthetic(out):
    html = (out / "studies.html").read_text()
    (table,) = parse(html).tables.values()

    assert [row["held out"] for row in table] == ["50.0 ± 11.5", "70.0 ± 10.5"]
    assert "the embedded sample world, not the real datasets" in parse(html).visible


def test_the_plot_is_a_picture_of_its_own(out):
    plot = (out / "templates" / "plot.svg").read_text()

    assert plot.startswith('<svg style="--ink:#')
    assert "held out" in plot


def test_a_spread_over_seeds_is_a_column_where_there_are_several(tmp_path):
    for name in ("a0", "a1"):
        write_run(tmp_path, name, {"rte": HALF})

    assert "sd over seeds" in header(results(study({"1": ["a0", "a1"]}), tmp_path))


def test_equal_results_give_equal_bytes(out):
    before = {
        path: path.read_bytes() for path in out.rglob("*") if path.suffix in {".md", ".csv", ".svg", ".html"}
    }
    declared = study({"1": ["templates-1"], "4": ["templates-4"]})
    write([results(declared, out)], out)

    assert {path: path.read_bytes() for path in before} == before


def test_a_point_that_gives_one_answer_to_all_rows_is_named(tmp_path):
    write_run(tmp_path, "templates-1", {"rte": HALF, "cb": HALF})
    write_run(tmp_path, "templates-4", {"rte": HALF, "cb": HALF}, constant=("rte",))

    write([results(study({"1": ["templates-1"], "4": ["templates-4"]}), tmp_path)], tmp_path)

    page = (tmp_path / "templates" / "study.md").read_text()
    assert "Tasks of which all rows get one answer: 4 (1 of 2)." in page
