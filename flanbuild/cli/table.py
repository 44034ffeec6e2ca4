"""Tables on stdout: fitted to the terminal, or tab-separated in a pipe.

rich is imported only on a terminal, so that importing this module is fast.
"""

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("cluster", "license")
"""A first column of this name becomes headings above its rows, which leaves their width to the other columns."""
NAMES = ("cluster", "task")
"""Columns that are never cut and never left out, wherever they stand."""
_HEADING = 40
"""Characters of a heading that count for the width of its column; a longer one is folded."""
_LEAST = 14
"""Characters to which a column of text may shrink before it is left out."""
_GAP = 2
_NUMBER = re.compile(r"[-+±\d.,%() ]*")


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], keep: Collection[str] = ()
) -> None:
    """Prints a table. On a narrow terminal, columns of text shrink first, then columns that are not in `keep` go.

    Names are never cut: headings, the column after them, or else the first two columns.
    """
    if not sys.stdout.isatty():
        print("\n".join([f"# {title}", *("\t".join(row) for row in (header, *rows))]))
        return
    from rich.console import Console

    console = Console()
    console.print(fitted(title, header, rows, keep, console.width))


def fitted(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], keep: Collection[str], width: int
) -> "Table":
    """The table as it fits into `width` characters, with a line that names the columns that do not."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    under = header[0] in HEADINGS
    lines = list(_under_headings(rows)) if under else [_Line(row, heading=False) for row in rows]
    columns = list(_columns(header[1:] if under else header, lines, names=1 if under else 2))
    shown = _shown(columns, keep, width)
    left_out = [column.name for column in columns if column not in shown]
    table = Table(
        title=Text(title),
        caption=f"Not shown: {', '.join(left_out)}. A wider terminal or a pipe has them."
        if left_out
        else None,
        title_justify="left",
        caption_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column, characters in zip(shown, _widths(shown, width), strict=True):
        justify: Literal["left", "right"] = "left" if column.is_text else "right"
        table.add_column(column.name, justify=justify, width=characters, overflow="fold")
    for line in lines:
        cells = [Text(line.cells[column.index]) for column in shown]
        table.add_row(*cells, style="bold" if line.heading else "")
    return table


@dataclass(frozen=True)
class _Line:
    cells: Sequence[str]
    heading: bool


@dataclass(frozen=True)
class _Column:
    index: int
    name: str
    width: int
    """of the longest cell"""
    least: int
    """the width to which it may shrink"""
    is_text: bool
    is_name: bool


def _under_headings(rows: Sequence[Sequence[str]]) -> Iterator[_Line]:
    """The first cell as a line of its own where it changes; the second one indented below it."""
    heading = None
    for first, second, *others in rows:
        if first != heading:
            heading = first
            yield _Line([first, *("" for _ in (second, *others))][: len(others) + 1], heading=True)
        yield _Line([f"  {second}", *others], heading=False)


def _columns(header: Sequence[str], lines: Sequence[_Line], names: int) -> Iterator[_Column]:
    from rich.cells import cell_len

    for index, name in enumerate(header):
        cells = [line.cells[index] for line in lines if not line.heading]
        headings = [line.cells[0][:_HEADING] for line in lines if line.heading and index == 0]
        width = max(map(cell_len, (name, *cells, *headings)))
        is_name = index < names or name in NAMES
        is_text = is_name or not all(map(_NUMBER.fullmatch, cells))
        least = width if is_name or not is_text else min(width, _LEAST)
        yield _Column(index, name, width, least, is_text, is_name)


def _shown(columns: list[_Column], keep: Collection[str], width: int) -> list[_Column]:
    """The columns that fit. Those not in `keep` go first; among them text, and the last ones before the others."""
    going = sorted(
        (column for column in columns if not column.is_name),
        key=lambda column: (column.name in keep, not column.is_text, -column.index),
    )
    shown = list(columns)
    while going and sum(column.least + _GAP for column in shown) - _GAP > width:
        shown.remove(going.pop(0))
    return shown


def _widths(shown: list[_Column], width: int) -> list[int | None]:
    """Characters for each column: text that shrank takes what is free. None if names alone are wider than `width`."""
    free = width - sum(column.least + _GAP for column in shown) + _GAP
    if free < 0:
        return [None] * len(shown)
    widths: list[int | None] = []
    for column in shown:
        more = min(column.width - column.least, free)
        free -= more
        widths.append(column.least + more)
    return widths
