"""How flanbuild talks on a terminal, and how it stays readable when it is not one.

    with friendly(), progress(steps, "train") as advance:
        advance(1, "loss 2.31")

rich is imported when a terminal is there, so that importing this module costs nothing.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args, get_type_hints

from flanbuild.errors import FlanbuildError

Advance = Callable[..., None]
Progress = Callable[[int, str], AbstractContextManager[Advance]]
"""`progress`, or what does nothing in its place."""
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
    """Gives `advance(count=1, note="")`: a bar on a terminal, about ten plain lines elsewhere.

    `silent` is for all but the first of several processes that do the same.
    """
    if silent:
        yield _nothing
    elif sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        yield _lines(total, description)


def silent(total: int, description: str) -> AbstractContextManager[Advance]:
    """`progress` that shows nothing."""
    return progress(total, description, silent=True)


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


def _nothing(count: int = 1, note: str = "") -> None:
    """Shows nothing."""


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
