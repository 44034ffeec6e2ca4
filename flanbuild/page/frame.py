"""The frame of the self-contained HTML pages that flanbuild writes: style, escaping, tables, charts.

    html = page("inspect/explore.html", script=SCRIPT, title="flan2021", table=table, chart=draw(chart, "Examples"))

A page is one file without links to other files; its content security policy lets it load nothing and run only the
script that it was written with. Templates are Jinja2 with autoescape, so a text of a row can never become markup.
Charts are altair charts drawn as SVG in the colors of the style sheet, light or dark. vl-convert measures text with the
font that it brings, so equal values give equal bytes on any host. `picture` draws the same chart for a file.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
MODULES = ("altair", "jinja2", "vl_convert")
"""What the extra `report` brings for pages."""
CHART_WIDTH = 340
"""Pixels of a chart with its labels: one fits beside the margins of a screen of 400 pixels."""
_FONT = "Liberation Sans"
_AXIS = {
    "domainColor": "var(--line)",
    "gridColor": "var(--line)",
    "tickColor": "var(--line)",
    "labelColor": "currentColor",
    "titleColor": "currentColor",
    "labelFontSize": 11,
    "titleFontSize": 11,
    "titleFontWeight": "normal",
}
MARK = "var(--mark)"
"""The color of what a chart shows."""
OTHER = "var(--other)"
"""The color of what it is compared with, which has another shape too."""
_LINE = 48
"""Characters of a row that a screen of 400 pixels shows without breaking words."""
ELLIPSIS = "…"


class Percent(float):
    """A share that a table shows as a percentage."""

    def __str__(self) -> str:
        return f"{self:.2%}"


class Figure(str):
    """A number in a form of its own, such as `+1.2`, which a table aligns like any number."""

    __slots__ = ()


Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table of a page. Numbers are aligned to the right and shown with thousands separators.

    A table of more than four columns, or of three with long texts, becomes a list of cards on a narrow screen.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def wide(self) -> bool:
        """Whether a screen of 400 pixels is too narrow for the columns."""
        columns = len(self.header)
        return columns > 4 or (columns > 2 and any(len("".join(map(cell, row))) > _LINE for row in self.rows))


def page(template: str, *, script: str = "", **values: Any) -> str:
    """The page of a Jinja2 template below flanbuild/, which extends page/frame.html, filled with `values`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cell=cell, clip=clip)
    environment.tests["figure"] = _is_figure
    policy = b64encode(sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        style=Markup(_style()),  # noqa: S704  our own file
        script=Markup(script),  # noqa: S704  our own file
        script_hash=policy,
        **values,
    )


def draw(chart: Any, description: str) -> Any:
    """An altair chart as inline SVG (markupsafe.Markup). `description` is its text for screen readers."""
    import vl_convert
    from markupsafe import Markup

    svg = vl_convert.vegalite_to_svg(_styled(chart, background="transparent", padding=2))
    assert ' id="' not in svg, "ids of two charts would collide"
    label = Markup('<svg role="img" aria-label="{}" ').format(description)
    return label + Markup(svg.removeprefix("<svg "))  # noqa: S704  vl-convert escapes the texts of a chart


def picture(chart: Any) -> str:
    """An altair chart as the text of an SVG file in the light colors, for documents that cannot hold an SVG.

    No PNG: its glyphs would be those of the host's version of the font.
    """
    import vl_convert

    colors = dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6})", _style().partition("@media")[0]))
    svg: str = vl_convert.vegalite_to_svg(_styled(chart, background=colors["--paper"], padding=8))
    svg = re.sub(r"var\((--[a-z]+)\)", lambda name: colors[name[1]], svg)
    return svg.replace("currentColor", colors["--ink"])


def _styled(chart: Any, *, background: str, padding: int) -> dict[str, Any]:
    styled = chart.configure(
        aria=False, background=background, font=_FONT, padding=padding, view={"stroke": None}, axis=_AXIS
    )
    spec: dict[str, Any] = styled.to_dict()
    return spec


def _style() -> str:
    return (PACKAGE / "page" / "style.css").read_text(encoding="utf-8")


def _is_figure(value: Cell) -> bool:
    return isinstance(value, int | float | Figure)


def clip(text: str, limit: int) -> str:
    """The beginning and the end of a text of more than `limit` characters, and how many are left out between them.

    >>> clip("0123456789" * 5, 12)
    '01234567\\n… 38 characters left out …\\n6789'
    """
    if len(text) <= limit:
        return text
    head, tail = limit - limit // 3, limit // 3
    left_out = f"\n{ELLIPSIS} {len(text) - limit:,} characters left out {ELLIPSIS}\n"
    return text[:head] + left_out + text[len(text) - tail :]


def cell(value: Cell) -> str:
    """A value as a table shows it: whole numbers with separators, others with two decimals, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, str | Percent):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
