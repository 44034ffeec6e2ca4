"""A progress display that also shows how fast an export goes. Nothing of it enters a file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flanbuild.progress import Advance, Progress


def paced(progress: Progress) -> Progress:
    """The display with a note: rows per second since the start, and the time left at this rate.

    Several threads may advance it.
    """

    @contextmanager
    def display(total: int, description: str) -> Iterator[Advance]:
        start, lock, done = time.monotonic(), Lock(), 0
        with progress(total, description) as advance:

            def advance_with_note(count: int = 1, _note: str = "") -> None:
                nonlocal done
                with lock:
                    done += count
                    rate = done / max(time.monotonic() - start, 1e-9)
                    left = round((total - done) / rate) if rate else 0
                    advance(count, f"{rate:,.0f} rows/s, {left // 60}:{left % 60:02} left")

            yield advance_with_note

    return display
