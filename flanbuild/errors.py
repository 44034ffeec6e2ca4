"""What can go wrong that a person can mend.

FlanbuildError
├── DeclarationError   a page, a mixture or an argument says something we can't follow
├── SourceError        a dataset is missing, or is not what its page says
├── ArtifactError      a file that flanbuild wrote is damaged, incomplete or stale
└── ExecutionError     a worker died, a disk is full: the run stopped, nothing is half-written

Each message is one sentence: the file, the place in it, what was found, what is allowed, the nearest name.
The command line prints it without a traceback and exits with `exit_code`.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec


class FlanbuildError(Exception):
    """The root of the family."""

    exit_code = 1


class DeclarationError(FlanbuildError):
    """Wrong in what was declared or asked for; nothing was started. May hold several faults, one a line."""

    exit_code = 2

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class SourceError(FlanbuildError):
    """A dataset is missing or does not match its page."""


class ArtifactError(FlanbuildError):
    """A file that flanbuild wrote is not as its manifest says."""


class ExecutionError(FlanbuildError):
    """The machine failed, not the declaration: rerun to go on."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?`, with a leading blank, or the allowed names when none is near."""
    names = sorted(set(allowed))
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f" Allowed: {shown}." if names else ""


def require(work: str, extra: str, modules: Sequence[str]) -> None:
    """Raises FlanbuildError, one sentence with the pip command, when `work` needs a module that is not installed.

    `extra` is the optional dependency group of pyproject.toml that brings the modules.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise FlanbuildError(f"{work} needs {', '.join(missing)}: pip install 'flanbuild[{extra}]'.")
