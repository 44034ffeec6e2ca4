"""Output of the command line: errors, progress and options, on a terminal and in a pipe.

    with exit_on_error(), progress(steps, "train") as advance:
        advance(1, "loss 2.31")

rich is imported only on a terminal, so that importing this module is fast.
"""

import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, get_args, get_type_hints

from flanbuild.errors import DeclarationError, FlanbuildError
from flanbuild.progress import Advance, log, logger

_PLAIN_LINES = 10
_SHOWN_FAULTS = 50
TRACEBACK = "FLANBUILD_TRACEBACK"
"""Environment variable: with the value 1, tracebacks are printed."""
BUG = 70
"""Exit code of a bug in flanbuild (EX_SOFTWARE)."""
INTERRUPTED = 130

_LIBRARIES = ("csv", "_csv", "huggingface_hub", "json", "polars", "pyarrow", "safetensors", "zipfile", "zlib")
"""Modules whose errors are about the bytes of a file and not about flanbuild."""
_COMMAND_LINE = ("click", "typer")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|$)")


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Prints an error as one line on stderr and exits with its code. Works as a decorator too.

    Errors of flanbuild have their own exit codes; an error of a file library or of the system is 1, any other exception
    is reported as a bug with code 70, and Ctrl-C is 130. Tracebacks are printed only with FLANBUILD_TRACEBACK=1.
    """
    _show_log()
    try:
        yield
    except BaseException as error:
        code = _exit_code(error)
        if code is None:
            raise
        if os.environ.get(TRACEBACK) == "1":
            _print_traceback(error)
        if isinstance(error, BrokenPipeError):
            _discard_output()
        else:
            print(f"flanbuild: {_sentence(error)}", file=sys.stderr)
        if isinstance(error, KeyboardInterrupt):
            _stop_at_once_next_time()
        raise SystemExit(code) from None


def _exit_code(error: BaseException) -> int | None:
    """The exit code, or None for an exception that the command line handles itself."""
    if isinstance(error, FlanbuildError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if _library(error) in _COMMAND_LINE or isinstance(error, SystemExit | GeneratorExit):
        return None
    known = isinstance(error, OSError | MemoryError) or _library(error) in _LIBRARIES
    return 1 if known else BUG


def _sentence(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, FlanbuildError):
        return _shown_faults(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped."
    if isinstance(error, MemoryError):
        return "out of memory; try fewer --jobs or a smaller size."
    see = f"{TRACEBACK}=1 shows the traceback."
    if _library(error) in _LIBRARIES:
        return f"{_library(error).lstrip('_')} cannot read or write a file: {_first_line(error)} ({see})"
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename is not None else ""
        return f"{named}{error.strerror or _first_line(error)}. ({see})"
    reason = f": {_first_line(error)}" if str(error).strip() else "."
    return f"a bug in flanbuild: {kind}{reason} Please report it. {see}"


def _shown_faults(error: FlanbuildError) -> str:
    """The message without control characters; of many faults the first ones and the number of the others."""
    lines = str(error).split("\n")
    if isinstance(error, DeclarationError) and len(lines) > _SHOWN_FAULTS:
        lines = [*lines[:_SHOWN_FAULTS], f"… and {len(lines) - _SHOWN_FAULTS:,} more faults."]
    return "\n".join(map(_printable, lines))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{_printable(lines[0]).rstrip('.')}." if lines else "no reason is known."


def _printable(line: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "�" for letter in line)


def _library(error: BaseException) -> str:
    """The top-level module of the exception's class. pyarrow's and the JSON module's classes also derive from builtins."""
    if type(error).__name__ == "PanicException":  # of polars, derived from BaseException alone
        return "polars"
    for kind in type(error).__mro__:
        if (module := kind.__module__.partition(".")[0]) in (*_LIBRARIES, *_COMMAND_LINE):
            return module
    return type(error).__module__.partition(".")[0]


def _print_traceback(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)


def _discard_output() -> None:
    """The reader of stdout is gone (`flanbuild list | head`): what is left goes nowhere, without a message at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop_at_once_next_time() -> None:
    """A second Ctrl-C, while threads or workers end, stops the process without a traceback."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        os._exit(INTERRUPTED)

    try:
        signal.signal(signal.SIGINT, leave)
    except ValueError:  # not in the main thread
        return


def local_path(option: str) -> Callable[[Any], Any]:
    """A callback of typer for an option that names a local file or folder.

    It raises DeclarationError for a URL, which would become a local folder such as `s3:`.
    """

    def check(value: Any) -> Any:
        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, Path) and _URL.match(str(path)):
                url = str(path).replace(":/", "://", 1)
                raise DeclarationError(
                    f"{option} {url}: a URL is not supported; name a local folder, and copy to or from the URL "
                    "yourself. URLs are taken by `mirror DIR`, --mirror, `export --out` and `publish DIR OUT`."
                )
        return value

    return check


@contextmanager
def progress(total: int, description: str) -> Iterator[Advance]:
    """Shows progress on stderr: a bar on a terminal, about ten plain lines elsewhere."""
    if sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        yield _lines(total, description)


COMMAND: Any = {"context_settings": {"token_normalize_func": lambda name: name.replace("_", "-")}}
"""For `app.command(**COMMAND)`: `--learning_rate`, as DVC spells a parameter, is `--learning-rate`."""


def options(kind: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replaces the parameter `config: kind` of a typer command by one option for each field of the dataclass.

    The string in a field's `Annotated` is the help of its option; a second one names an environment variable that
    gives its default. Options of type Path take local paths only.
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
        value, described, *variable = get_args(hints[field.name])
        check = local_path(f"--{field.name.replace('_', '-')}") if _is_path(value) else None
        annotation: Any = Annotated[
            value, typer.Option(help=described, envvar=variable or None, callback=check)
        ]
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)


def _is_path(kind: Any) -> bool:
    return kind is Path or any(map(_is_path, get_args(kind)))


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
