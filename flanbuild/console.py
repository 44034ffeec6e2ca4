"""How flanbuild talks on a terminal, and how it stays readable when it is not one.

    with friendly(), progress(steps, "train") as advance:
        advance(1, "loss 2.31")

rich is imported when a terminal is there, so that importing this module costs nothing.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flanbuild.errors import FlanbuildError

Advance = Callable[..., None]
_PLAIN_LINES = 10


@contextmanager
def friendly() -> Iterator[None]:
    """Prints an error of ours as its sentence on stderr and exits with its code. Works as a decorator too."""
    try:
        yield
    except FlanbuildError as error:
        print(f"flanbuild: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("flanbuild: stopped.", file=sys.stderr)
        raise SystemExit(130) from None


def say(line: str) -> None:
    """One line of news on stderr: stdout is for results."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(total: int, description: str, *, silent: bool = False) -> Iterator[Advance]:
    """Gives `advance(count=1, note="")`: a bar on a terminal, about ten plain lines elsewhere."""
    if silent:
        yield lambda count=1, note="": None
    elif sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        yield _lines(total, description)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: framed on a terminal, tab-separated lines in a pipe. Columns after the first two are figures."""
    if not sys.stdout.isatty():
        print("\n".join([f"# {title}", *("\t".join(row) for row in (header, *rows))]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index < 2 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def _bar(total: int, description: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    note = TextColumn("{task.fields[note]}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        note,
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, note="")

        def advance(count: int = 1, note: str | None = None) -> None:
            bar.update(task, advance=count, **({} if note is None else {"note": note}))

        yield advance


def _lines(total: int, description: str) -> Advance:
    done = shown = 0

    def advance(count: int = 1, note: str = "") -> None:
        nonlocal done, shown
        done += count
        tenth = done * _PLAIN_LINES // max(total, 1)
        if tenth > shown:
            shown = tenth
            say(f"{description}: {done}/{total} {note}".rstrip())

    return advance
