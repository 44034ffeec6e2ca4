"""A folder that is there whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """An empty folder to fill, beside `place`, that takes its place when the block ends well.

    When the block fails, what was at `place` before stays.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    making, old = (place.with_name(f".{place.name}.{word}") for word in ("making", "old"))
    for leftover in (making, old):
        shutil.rmtree(leftover, ignore_errors=True)
    making.mkdir()
    try:
        yield making
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    if place.exists():
        place.rename(old)
    making.rename(place)
    shutil.rmtree(old, ignore_errors=True)
