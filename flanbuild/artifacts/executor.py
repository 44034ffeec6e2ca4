"""Runs work items: in this process, in threads, in a pool of processes, or on a Dask cluster.

A work item is a module-level function and plain arguments. It writes its own file under a staging name and
renames it, so running it twice does no harm. The one interface is `concurrent.futures.Executor`.
"""

import multiprocessing
import os
import platform
import signal
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
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from flanbuild.artifacts.records import writer_versions
from flanbuild.errors import DeclarationError, ExecutionError, require
from flanbuild.progress import Advance, log

TRIES = 3
JOBS = os.cpu_count() or 1
"""The default number of work items that run at once."""

WorkItem = tuple[Callable[..., Any], tuple[Any, ...]]
Kind = Literal["process", "dask"]
CONNECT_SECONDS = 20


def cluster(executor: Kind, scheduler: str) -> str:
    """Returns the address of the Dask scheduler, or "" to run on this machine.

    Raises DeclarationError if only one of the two options asks for Dask.
    """
    if executor == "dask" and not scheduler:
        raise DeclarationError("--executor dask needs --scheduler, such as tcp://127.0.0.1:8786.")
    if scheduler and executor != "dask":
        raise DeclarationError(f"--scheduler {scheduler} goes with --executor dask.")
    return scheduler


@dataclass(frozen=True)
class Workers:
    """Who does the work: `jobs` processes or threads here, or the workers of a Dask `scheduler`."""

    jobs: int = 1
    scheduler: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether work runs on other machines, which need absolute paths."""
        return bool(self.scheduler)


def run(items: Sequence[WorkItem], workers: Workers, *, done: Advance = lambda *_: None) -> list[Any]:
    """Returns the results in the order of the work items; `done` is called after each.

    A worker that dies breaks the pool: unfinished items run again in a new pool, at most three times, then
    ExecutionError is raised. An exception of an item ends the run. Workers of a Dask scheduler run as many items at
    once as there are workers, and Dask retries; paths must then be absolute.
    """
    if workers.scheduler:
        return _on_cluster(items, workers.scheduler, done)
    if workers.jobs <= 1 or len(items) <= 1:
        return list(_in_process(items, done))
    results: dict[int, Any] = {}
    for _ in range(TRIES):
        waiting = [i for i in range(len(items)) if i not in results]
        with _pool(min(workers.jobs, len(waiting))) as pool:
            others = set(multiprocessing.active_children())
            started: set[BaseProcess] = set()
            try:
                with _interrupts_held_back():  # workers start with the first item
                    futures = {
                        pool.submit(function, *arguments): i
                        for i in waiting
                        for function, arguments in [items[i]]
                    }
                    started = set(multiprocessing.active_children()) - others
                if _collect(futures, results, done):
                    return [results[i] for i in range(len(items))]
            except KeyboardInterrupt:
                with _interrupts_held_back():  # a second Ctrl-C would leave workers without their parent
                    for process in started:
                        process.terminate()
                    pool.shutdown()
                raise
    raise ExecutionError(f"A worker died {TRIES} times, possibly out of memory; try fewer --jobs.")


def run_in_threads(
    items: Sequence[WorkItem],
    workers: Workers,
    *,
    done: Advance = lambda *_: None,
    stop: Callable[[], None] = lambda: None,
) -> list[Any]:
    """Like `run`, in threads: for items that wait for a network, share input, or are very short.

    When one fails, `stop` is called, so that running items end soon.
    """
    results: dict[int, Any] = {}
    with ThreadPoolExecutor(max(1, min(workers.jobs, len(items)))) as pool:
        futures = {pool.submit(function, *arguments): i for i, (function, arguments) in enumerate(items)}
        try:
            _collect(futures, results, done)
        except BaseException:
            stop()
            raise
    return [results[i] for i in range(len(items))]


def _on_cluster(items: Sequence[WorkItem], scheduler: str, done: Advance) -> list[Any]:
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
                pool.submit(_on_worker, writer_versions(), function, arguments): i
                for i, (function, arguments) in enumerate(items)
            }
            _collect(futures, results, done)
    except NoWorkerError:
        raise ExecutionError(f"{scheduler}: no worker connected within its no-workers-timeout.") from None
    except KilledWorker:
        raise ExecutionError(
            f"{scheduler}: one work item killed several workers, possibly out of memory; give them more memory."
        ) from None
    except ModuleNotFoundError as error:
        raise ExecutionError(f"{scheduler}: a worker reports '{error}'; install flanbuild there.") from None
    except CancelledError:
        raise ExecutionError(
            f"{scheduler}: the connection to the scheduler was lost; finished work is kept."
        ) from None
    except OSError as error:
        if error.errno is not None:  # raised by a work item, such as a full disk
            raise
        raise ExecutionError(f"{scheduler}: no Dask scheduler answers at this address.") from None
    return [results[i] for i in range(len(items))]


def _on_worker(expected: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Refuses to work with other versions than the client's, which may write other bytes."""
    if (installed := writer_versions()) != expected:
        others = ", ".join(
            f"{name} {installed[name]} instead of {version}"
            for name, version in expected.items()
            if installed[name] != version
        )
        raise ExecutionError(f"{platform.node()}: the worker has {others}; install the client's versions.")
    return function(*arguments)


def _in_process(items: Sequence[WorkItem], done: Advance) -> Iterator[Any]:
    for function, arguments in items:
        yield function(*arguments)
        done()


def _collect(futures: dict[Future[Any], int], results: dict[int, Any], done: Advance) -> bool:
    """Adds to `results`; returns False if the pool broke before all were complete."""
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
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits until the end of the block. Processes that start inside it begin with Ctrl-C held back too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_silently_on_interrupt() -> None:
    """Runs in a new worker: from now on Ctrl-C ends it without a traceback, one that came before included."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    """New processes with one polars thread each, so that `jobs` is the number of busy cores."""
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"  # read when a worker imports polars
    try:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_end_silently_on_interrupt) as pool:
            yield pool
    finally:
        if before is None:
            del os.environ["POLARS_MAX_THREADS"]
        else:
            os.environ["POLARS_MAX_THREADS"] = before
