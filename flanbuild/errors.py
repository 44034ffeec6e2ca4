"""The errors that a person can cause and fix.

FlanbuildError
├── DeclarationError   a task file, a mixture or an argument is wrong
├── SourceError        a dataset is missing, or differs from its task file
├── ArtifactError      a file that flanbuild wrote is damaged, incomplete or stale
│   └── DamagedError   its bytes are not those that its record names: it has to be built again
└── ExecutionError     a worker died, a disk is full: the run stopped, nothing is half-written

Each message is one sentence: the file, the position in it, what was found, what is allowed, the nearest name. The
command line prints it without a traceback and exits with `exit_code`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from unicodedata import normalize


class FlanbuildError(Exception):
    """The base class of all errors of flanbuild."""

    exit_code = 1

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(_bounded(text) if isinstance(text, str) else text for text in arguments))


class DeclarationError(FlanbuildError):
    """A wrong declaration or argument. Raised before any work starts; may hold several faults, one per line."""

    exit_code = 2

    def __init__(self, *faults: str) -> None:
        self.faults = tuple(map(_bounded, faults))
        super().__init__("\n".join(self.faults))


class SourceError(FlanbuildError):
    """A dataset is missing or does not match its task file."""


class ArtifactError(FlanbuildError):
    """A file that flanbuild wrote does not match its record."""


class DamagedError(ArtifactError):
    """The bytes of a file are not those that its record names; the artifact has to be built again."""


class ExecutionError(FlanbuildError):
    """The machine failed, not the declaration. Running the command again continues the work."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` with a leading space, or the allowed names if none is near."""
    names = sorted(set(allowed))
    for other in names:
        if other != name and normalize("NFC", other) == normalize("NFC", name):
            return f" Did you mean '{other}', which looks the same but has other Unicode code points (NFC and NFD)?"
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{_shortened(close[0])}'?"
    shown = ", ".join(map(_shortened, names[:12])) + (", …" if len(names) > 12 else "")
    return f" Allowed: {shown}." if names else ""


def _shortened(name: str) -> str:
    """At most 60 characters of a name on one line; in a damaged file a name may be any text."""
    line = name if name.isprintable() else repr(name)[1:-1]
    return line if len(line) <= 60 else f"{line[:59]}…"


def _bounded(message: str) -> str:
    """A message of which each line has at most 1,000 characters: of longer ones the beginning and the end."""
    lines = message.split("\n")
    return "\n".join(line if len(line) <= 1000 else f"{line[:700]} […] {line[-200:]}" for line in lines)


def require(work: str, extra: str, modules: Iterable[str]) -> None:
    """Raises FlanbuildError, one sentence with the pip command, when `work` needs a module that is not installed.

    `extra` is the optional dependency group of pyproject.toml that brings the modules.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise FlanbuildError(f"{work} needs {', '.join(missing)}: pip install 'flanbuild[{extra}]'.")


def require_packages(work: str, extra: str, distributions: Iterable[str]) -> None:
    """The same as `require`, for the names of distributions such as scikit-learn."""
    missing = [name for name in distributions if not _installed(name)]
    if missing:
        raise FlanbuildError(f"{work} needs {', '.join(missing)}: pip install 'flanbuild[{extra}]'.")


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
