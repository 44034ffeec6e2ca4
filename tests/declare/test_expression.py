"""What SQL a task file may use: what one row decides, and nothing else."""

import pytest

from flanbuild.declare.expression import MAX_LENGTH, expression_faults
from flanbuild.render.examples import _expressions


def test_every_expression_of_every_task_file_is_allowed(tasks):
    expressions = {sql for task in tasks.values() for _, sql in _expressions(task)}

    assert [fault for sql in sorted(expressions) for fault in expression_faults(sql)] == []
    assert len(expressions) > 100


@pytest.mark.parametrize(
    "sql",
    [
        '"Review Text"',
        "answers.text[1]",
        "x::int",
        "CONCAT(x, 'a') || UPPER(SUBSTR(x, 1, 2))",
        "STRPOS(x, 'a') > 1 AND NOT x LIKE '%a%'",
        "CASE WHEN a IS NULL THEN 'none' ELSE a END",
        "x IN ('a', 'b') OR n BETWEEN 1 AND 3",
        "COALESCE(NULLIF(trim(x), ''), '-')",
        "REPLACE(" * 20 + "x" + ", ' .', '.')" * 20,
        "n / 2",
    ],
)
def test_row_wise_expressions_are_allowed(sql):
    assert expression_faults(sql) == ()


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("x || CAST(NOW() AS VARCHAR)", "current_timestamp"),
        ("CURRENT_DATE", "current_date"),
        ("RANDOM()", "rand"),
        ("COUNT(*)", "count"),
        ("MAX(text)", "max"),
        ("FIRST(x)", "first"),
        ("ROW_NUMBER() OVER (ORDER BY x)", "window"),
        ("x IN (SELECT a FROM read_csv('../outside.csv'))", "query"),
        ("x = (SELECT 1)", "subquery"),
        ("read_csv('http://127.0.0.1/x')", "read_csv"),
        ("LPAD(x, 1000000000, 'a')", "pad"),
        ("REPEAT(x, 100000000)", "repeat"),
        ("GENERATE_SERIES(1, 1000000000)", "generate_series"),
        ("CAST(x AS DATE)", "DATE"),
        ("1st", "quote a column's name with \""),
        ("REGEXP_LIKE(x, '(')", "not a regular expression"),
        ("REGEXP_LIKE(x, y)", "written as text"),
        ("CAST(x AS INT) / 0", "a division by zero"),
        ("n % 0.0", "a division by zero"),
        (
            "REPLACE(" * 20 + "x" + ", 'x', 'xxxxxxxxxx')" * 20,
            "replacements inside each other can make a text",
        ),
        ("REPLACE(" * 4 + "x" + ", 'x', y)" * 4, "replacements inside each other can make a text"),
        ("a; b", "not one SQL expression"),
        ("", "not one SQL expression"),
        ("SELECT a FROM t", "select"),
        ("x ||", "not a SQL expression"),
    ],
)
def test_what_more_than_one_row_decides_or_what_reaches_outside_is_a_fault(sql, named):
    faults = expression_faults(sql)

    assert named in faults[0]
    assert all("\n" not in fault for fault in faults)


@pytest.mark.parametrize(
    "sql",
    ["+".join(["1"] * 900), "(" * 900 + "1" + ")" * 900, "NOT " * 400 + "x", "x" * (MAX_LENGTH + 1)],
    ids=["terms", "brackets", "negations", "length"],
)
def test_expressions_have_bounds(sql):
    assert len(expression_faults(sql)) == 1


def test_control_characters_of_an_expression_do_not_reach_the_terminal():
    (fault,) = expression_faults("\x1b[31mx\x07")

    assert fault.isprintable()
