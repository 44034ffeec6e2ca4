"""A page loads nothing, runs one script, and shows texts as texts."""

from base64 import b64encode
from hashlib import sha256

import pytest
from html_tables import parse

from flanbuild.page.frame import Percent, Table, cell, clip, draw, page

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.needs("report")
def test_a_page_allows_its_own_script_and_no_other():
    html = page("page/frame.html", script="let a = 1;", title="a")

    tags = parse(html).tags
    policy = next(attributes["content"] for name, attributes in tags if "http-equiv" in attributes)
    digest = b64encode(sha256(b"let a = 1;").digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy
    assert [name for name, _ in tags].count("script") == 1


@pytest.mark.needs("report")
def test_a_text_never_becomes_markup():
    html = page("page/frame.html", title=EVIL)

    parsed = parse(html)
    assert EVIL in parsed.visible
    assert not {"script", "img"} & {name for name, _ in parsed.tags}


@pytest.mark.needs("report")
def test_a_chart_escapes_its_texts_and_has_the_same_bytes_again():
    import altair as alt

    chart = alt.Chart(alt.Data(values=[{"a": EVIL, "b": 1}])).mark_bar().encode(x="b:Q", y="a:N")

    first, second = draw(chart, EVIL), draw(chart, EVIL)

    assert first == second
    assert {name for name, _ in parse(first).tags} <= {"svg", "g", "path", "rect", "line", "text"}
    assert parse(first).tags[0][1]["aria-label"] == EVIL


def test_a_long_text_keeps_its_beginning_and_its_end():
    assert clip("a" * 100 + "b" * 100, 30) == f"{'a' * 20}\n… 170 characters left out …\n{'b' * 10}"
    assert clip("short", 30) == "short"


def test_a_table_shows_numbers_with_separators_and_shares_as_percentages():
    assert [cell(value) for value in (1234567, 0.5, Percent(0.1234), None, "1234")] == [
        "1,234,567",
        "0.50",
        "12.34%",
        "–",
        "1234",
    ]


def test_a_table_of_many_columns_is_wide():
    assert Table("", "abcde", []).wide
    assert not Table("", "abcd", []).wide
