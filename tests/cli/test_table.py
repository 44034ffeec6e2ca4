"""Tables keep names and give way elsewhere."""

from io import StringIO

import pytest
from rich.console import Console

from flanbuild.cli.table import fitted, print_table

PLAN = ("cluster", "task", "available", "kept", "rate", "share", "given", "repeats", "out because")
KEEP = ("given", "out because")


def plan_rows(tasks):
    numbers = ("392,702", "30,000", "3,000", "1.89%", "30,000", "0")
    return sorted(
        (task.cluster, task.name, *numbers, "related to nli in flan2021.yaml") for task in tasks.values()
    )


def printed(header, rows, width, keep=()):
    console = Console(file=StringIO(), width=width)
    console.print(fitted("Title", header, rows, keep, width))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [200, 120, 80, 60])
def test_names_of_clusters_and_tasks_stay_whole_on_a_narrow_terminal(tasks, width):
    words = set(printed(PLAN, plan_rows(tasks), width, KEEP).split())

    assert {task.name for task in tasks.values()} <= words
    assert {task.cluster for task in tasks.values()} <= words
    assert "…" not in words


@pytest.mark.parametrize("width", [200, 120, 80, 60])
def test_no_line_is_wider_than_the_terminal(tasks, width):
    lines = printed(PLAN, plan_rows(tasks), width, KEEP).splitlines()

    assert max(len(line.rstrip()) for line in lines) <= width


def test_a_column_of_text_is_folded_before_a_number_goes():
    rows = [("a", "b", "1,000", "a reason of many words that needs several lines")]

    shown = printed(("x", "y", "count", "because"), rows, 40)

    assert "1,000" in shown
    assert " ".join(shown.split()).count("reason") == 1
    assert "Not shown" not in shown


def test_columns_that_do_not_fit_are_named(tasks):
    shown = " ".join(printed(PLAN, plan_rows(tasks), 60, KEEP).split())

    assert "given" in shown
    assert "Not shown: available, kept, rate, share, repeats." in shown


def test_even_a_name_wider_than_the_terminal_is_not_cut(tasks):
    shown = printed(PLAN, plan_rows(tasks), 20, KEEP)

    assert "opinion_abstracts_rotten_tomatoes" in "".join(shown.split())


@pytest.mark.parametrize("width", [120, 80])
def test_a_long_license_as_heading_leaves_room_for_the_names_below_it(tasks, width):
    header = ("license", "task", "cluster", "homepage")
    rows = sorted((t.source.license, t.name, t.cluster, t.source.homepage) for t in tasks.values())

    words = set(printed(header, rows, width).split())

    assert {name for task in tasks.values() for name in (task.name, task.cluster)} <= words


def test_brackets_in_a_cell_are_text():
    assert "[/bold] x" in printed(("a", "b"), [("[/bold] x", "1")], 80)


def test_a_table_in_a_pipe_is_tab_separated(capsys):
    print_table("Two", ("a", "b"), [("1", "2")])
    assert capsys.readouterr().out == "# Two\na\tb\n1\t2\n"
