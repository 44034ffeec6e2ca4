"""How flanbuild talks on a terminal, and how it stays readable when it is not one.

    with exit_on_error(), progress(steps, "train") as advance:
        advance(1, "loss 2.31")

rich is imported when a terminal is there, so that importing this module costs nothing.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args, get_type_hints

from flanbuild.errors import FlanbuildError
from flanbuild.progress import Advance, log, logger

_PLAIN_LINES = 10


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Prints an error of ours as its sentence on stderr and exits with its code. Works as a decorator too."""
    _show_log()
    try:
        yield
    except FlanbuildError as error:
        print(f"flanbuild: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("flanbuild: stopped.", file=sys.stderr)
        raise SystemExit(130) from None


@contextmanager
def progress(total: int, description: str) -> Iterator[Advance]:
    """Shows progress on stderr: a bar on a terminal, about ten plain lines elsewhere."""
    if sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        yield _lines(total, description)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: framed on a terminal, tab-separated in a pipe. After two columns come figures."""
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


COMMAND: Any = {"context_settings": {"token_normalize_func": lambda name: name.replace("_", "-")}}
"""For `app.command(**COMMAND)`: `--learning_rate`, as DVC spells a parameter, is `--learning-rate`."""


def options(kind: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For a typer command with a parameter `config: kind`: puts an option in its place for each field of the
    dataclass.

    The string in a field's `Annotated` is the help of its option; a second one names an environment variable that
    gives its default.
    """

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        names = [field.name for field in fields(kind)]

        @wraps(command)
        def run(**given: Any) -> None:
            config = kind(**{name: given.pop(name) for name in names})
            command(**given, config=config)

        own = [p for p in signature(command, eval_str=True).parameters.values() if p.name != "config"]
        run.__signature__ = Signature([*own, *_options(kind)])  # type: ignore[attr-defined]
        return run

    return wrap


def _options(kind: type) -> Iterator[Parameter]:
    import typer

    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        of, described, *variable = get_args(hints[field.name])
        annotation: Any = Annotated[of, typer.Option(help=described, envvar=variable or None)]
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)


class _Stderr(logging.Handler):
    """Prints log lines to stderr: stdout is for results."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


def _show_log() -> None:
    if not logger.handlers:
        logger.addHandler(_Stderr())
        logger.setLevel(logging.INFO)


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
            bar.update(task, advance=count)
            if note is not None:
                bar.update(task, note=note)

        yield advance


def _lines(total: int, description: str) -> Advance:
    done = shown = 0

    def advance(count: int = 1, note: str = "") -> None:
        nonlocal done, shown
        done += count
        tenth = done * _PLAIN_LINES // max(total, 1)
        if tenth > shown:
            shown = tenth
            log(f"{description}: {done}/{total} {note}".rstrip())

    return advance
