"""Where pieces of work run: in this process, in threads, in a pool of processes, or on a Dask cluster.

A piece is a module-level function and plain arguments; it writes its own file beside its place and renames it,
so running it twice does no harm. The one seam is `concurrent.futures.Executor`.
"""

import multiprocessing
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from typing import Any, Literal

from flanbuild.errors import DeclarationError, ExecutionError, require
from flanbuild.progress import log

TRIES = 3
JOBS = os.cpu_count() or 1
"""How many pieces run at once where nobody says."""

WorkItem = tuple[Callable[..., Any], tuple[Any, ...]]
Kind = Literal["process", "dask"]
CONNECT_SECONDS = 20


def cluster(executor: Kind, scheduler: str) -> str:
    """Where pieces run: the address of a Dask scheduler, or "" for this machine.

    Raises DeclarationError when only one of the two options asks for Dask.
    """
    if executor == "dask" and not scheduler:
        raise DeclarationError("--executor dask needs --scheduler, such as tcp://127.0.0.1:8786.")
    if scheduler and executor != "dask":
        raise DeclarationError(f"--scheduler {scheduler} goes with --executor dask.")
    return scheduler


def run(
    pieces: Sequence[WorkItem], *, jobs: int, scheduler: str = "", done: Callable[[], None] = lambda: None
) -> list[Any]:
    """The results in the order of the pieces; `done` is called as each ends.

    A worker that dies takes the pool with it: what was not finished runs again in a fresh one, three times at
    most, then ExecutionError. An error of a piece itself ends the run. With the address of a Dask `scheduler` its
    workers run the pieces, as many at once as there are, and Dask does the trying again; paths must be absolute.
    """
    if scheduler:
        return _on_cluster(pieces, scheduler, done)
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


def run_in_threads(
    pieces: Sequence[WorkItem],
    *,
    jobs: int,
    done: Callable[..., None] = lambda: None,
    stop: Callable[[], None] = lambda: None,
) -> list[Any]:
    """As `run`, in threads: for pieces that wait for a network, share what they read, or take less than a start.

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


def _on_cluster(pieces: Sequence[WorkItem], scheduler: str, done: Callable[[], None]) -> list[Any]:
    require("`--executor dask`", "dask", ("distributed",))
    from distributed import Client, KilledWorker
    from distributed.scheduler import NoWorkerError

    results: dict[int, Any] = {}
    try:
        with (
            Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False) as client,
            client.get_executor() as pool,
        ):
            if not client.nthreads():
                log(f"{scheduler} has no worker yet; waiting for one.")
            futures = {
                pool.submit(_on_worker, _versions(), function, arguments): i
                for i, (function, arguments) in enumerate(pieces)
            }
            _collect(futures, results, done)
    except NoWorkerError:
        raise ExecutionError(f"{scheduler}: no worker came within its no-workers-timeout.") from None
    except KilledWorker:
        raise ExecutionError(
            f"{scheduler}: one piece of work took several workers with it, out of memory perhaps; give them more."
        ) from None
    except ModuleNotFoundError as error:
        raise ExecutionError(f"{scheduler}: a worker says {error}; install flanbuild there.") from None
    except CancelledError:
        raise ExecutionError(f"{scheduler}: the scheduler went away; what was finished stays.") from None
    except OSError as error:
        if error.errno is not None:  # of a piece: its disk is full
            raise
        raise ExecutionError(f"{scheduler}: no Dask scheduler answers there.") from None
    return [results[i] for i in range(len(pieces))]


def _on_worker(expected: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Other versions may write other bytes, so a worker that has them does no work."""
    if (found := _versions()) != expected:
        other = ", ".join(f"{k} {found[k]} for {expected[k]}" for k in expected if found[k] != expected[k])
        raise ExecutionError(f"{platform.node()}: the worker has {other}; install what the client has.")
    return function(*arguments)


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("flanbuild", "numpy", "polars", "pyarrow")}


def _in_process(pieces: Sequence[WorkItem], done: Callable[[], None]) -> Iterator[Any]:
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
