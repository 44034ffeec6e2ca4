"""The progress protocol and the log that library code reports to; `flanbuild.cli.console` shows both.

    with progress(len(tasks), "render") as advance:
        advance(1, "rte")

Library code never prints. Without the command line, `silent` shows no progress and log lines go to the standard
logger `flanbuild`, which is quiet unless the application configures logging.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[..., None]
"""`advance(count=1, note="")`: `count` more items are done; `note` is shown beside the bar."""

Progress = Callable[[int, str], AbstractContextManager[Advance]]
"""`progress(total, description)`: a context manager that gives `advance`."""

logger = logging.getLogger("flanbuild")


def log(line: str) -> None:
    """Logs one line of news at level INFO."""
    logger.info(line)


@contextmanager
def silent(total: int, description: str) -> Iterator[Advance]:  # noqa: ARG001  the protocol's arguments
    """A progress display that shows nothing."""
    yield lambda *_, **__: None
