"""Where pieces of work run: in this process, in a pool of processes, or on a Dask cluster.

A piece is a module-level function and plain arguments; it writes its own file beside its place and renames it,
so running it twice does no harm. The one seam is `concurrent.futures.Executor`.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any

from flanbuild.errors import ExecutionError

TRIES = 3
JOBS = int(os.environ.get("FLANBUILD_JOBS") or os.cpu_count() or 1)
"""How many pieces run at once where nobody says."""

Piece = tuple[Callable[..., Any], tuple[Any, ...]]


def run(pieces: Sequence[Piece], *, jobs: int, done: Callable[[], None] = lambda: None) -> list[Any]:
    """The results in the order of the pieces; `done` is called as each ends.

    A worker that dies takes the pool with it: what was not finished runs again in a fresh one, three times at
    most, then ExecutionError. An error of a piece itself ends the run.
    """
    if jobs <= 1 or len(pieces) <= 1:
        return list(_in_process(pieces, done))
    results: dict[int, Any] = {}
    for _ in range(TRIES):
        waiting = [i for i in range(len(pieces)) if i not in results]
        with _pool(min(jobs, len(waiting))) as pool:
            futures = {
                pool.submit(function, *arguments): i for i in waiting for function, arguments in [pieces[i]]
            }
            if _collect(futures, results, done):
                return [results[i] for i in range(len(pieces))]
    raise ExecutionError(f"A worker died {TRIES} times over, out of memory perhaps; try fewer --jobs.")


def run_waiting(
    pieces: Sequence[Piece],
    *,
    jobs: int,
    done: Callable[..., None] = lambda: None,
    stop: Callable[[], None] = lambda: None,
) -> list[Any]:
    """As `run`, in threads: for pieces that mostly wait for a network.

    When one fails, `stop` is called, so that those that are under way end soon too.
    """
    results: dict[int, Any] = {}
    with ThreadPoolExecutor(max(1, min(jobs, len(pieces)))) as pool:
        futures = {pool.submit(function, *arguments): i for i, (function, arguments) in enumerate(pieces)}
        try:
            _collect(futures, results, done)
        except BaseException:
            stop()
            raise
    return [results[i] for i in range(len(pieces))]


def _in_process(pieces: Sequence[Piece], done: Callable[[], None]) -> Iterator[Any]:
    for function, arguments in pieces:
        yield function(*arguments)
        done()


def _collect(futures: dict[Future[Any], int], results: dict[int, Any], done: Callable[[], None]) -> bool:
    """Fills in results; false when the pool broke before all were there."""
    try:
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            done()
    except BrokenProcessPool:
        return False
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return True


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    """Fresh processes, one thread each: `jobs` is then what the machine is asked for. Bytes don't depend on it."""
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"  # read when a worker imports polars
    try:
        with ProcessPoolExecutor(
            jobs, mp_context=multiprocessing.get_context("spawn"), initializer=spare_pandas
        ) as pool:
            yield pool
    finally:
        if before is None:
            del os.environ["POLARS_MAX_THREADS"]
        else:
            os.environ["POLARS_MAX_THREADS"] = before


def spare_pandas() -> None:
    """Keeps pyarrow from importing pandas, for a process of our own that will make no Series: 1 to 2 s each.

    pyarrow looks for it once, at the first value it makes, and remembers. Not for a process that a user's code
    runs in: `pa.array` of a Series would no longer know it.
    """
    if "pandas" not in sys.modules:
        absent = _NoPandas()
        sys.meta_path.insert(0, absent)
        try:
            import pyarrow as pa

            pa.scalar(0)
        finally:
            sys.meta_path.remove(absent)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name=fullname)
