"""Results come back in order, and a worker that dies costs nothing but time."""

import os
import signal
import sys
from pathlib import Path

import pytest
from few import few

from flanbuild.artifacts import executor
from flanbuild.errors import DeclarationError, ExecutionError, FlanbuildError, SourceError
from flanbuild.render import prompts


def double(number):
    return 2 * number


def fail():
    raise SourceError("no rows")


def fill_the_disk():
    raise OSError(28, "No space left on device")


def die(died, times, function, *arguments):
    """Kills the process that runs it, the first `times` times."""
    killed = Path(died)
    count = len(killed.read_text()) if killed.is_file() else 0
    if count < times:
        killed.write_text("x" * (count + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments)


def render_killed(tmp_path, scheduler=""):
    """Renders three tasks with two workers, one of which dies at the second task; returns the files."""
    build = few(tmp_path / "data")
    build.download()
    pieces = []
    for task in build.tasks.values():
        address = Path(task.cluster) / task.name
        raw, out = build.data / "raw" / address, build.rendered / address
        pieces.append((prompts.render, (task, raw, out, build.mixture, 5)))
    function, arguments = pieces[1]
    pieces[1] = (die, (tmp_path / "died", 1, function, *arguments))
    executor.run(pieces, jobs=2, scheduler=scheduler)
    assert (tmp_path / "died").is_file()
    return {p.relative_to(build.rendered): p.read_bytes() for p in build.rendered.rglob("*") if p.is_file()}


@pytest.fixture
def whole(tmp_path):
    """The files that rendering writes when no worker dies."""
    build = few(tmp_path / "whole")
    build.render()
    return {p.relative_to(build.rendered): p.read_bytes() for p in build.rendered.rglob("*") if p.is_file()}


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_work_items(jobs):
    ends = []
    pieces = [(double, (number,)) for number in range(5)]

    assert executor.run(pieces, jobs=jobs, done=lambda: ends.append(1)) == [0, 2, 4, 6, 8]
    assert len(ends) == 5


def test_the_work_of_a_killed_worker_is_done_again(tmp_path, whole):
    assert render_killed(tmp_path) == whole


def test_work_that_kills_every_worker_ends_the_run_with_a_sentence(tmp_path):
    pieces = [(die, (tmp_path / "died", 9, double, 1)), (double, (1,))]

    with pytest.raises(ExecutionError, match="A worker died 3 times, possibly out of memory"):
        executor.run(pieces, jobs=2)


def test_dask_gives_results_in_order_and_errors_as_they_are(dask):
    pieces = [(double, (number,)) for number in range(5)]

    assert executor.run(pieces, jobs=1, scheduler=dask) == [0, 2, 4, 6, 8]
    with pytest.raises(SourceError, match="no rows"):
        executor.run([(fail, ())], jobs=1, scheduler=dask)
    with pytest.raises(OSError, match="No space left") as caught:
        executor.run([(fill_the_disk, ())], jobs=1, scheduler=dask)
    assert caught.value.errno == 28


def test_dask_does_the_work_of_a_killed_worker_again(tmp_path, whole, mortal_dask):
    assert render_killed(tmp_path, mortal_dask) == whole


def test_work_that_kills_every_dask_worker_ends_the_run_with_a_sentence(tmp_path, mortal_dask):
    pieces = [(die, (tmp_path / "died", 9, double, 1))]

    with pytest.raises(ExecutionError, match=r"killed several workers|no worker connected"):
        executor.run(pieces, jobs=1, scheduler=mortal_dask)


def test_no_scheduler_at_the_address_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed", reason="flanbuild[dask] is not installed")
    monkeypatch.setattr(executor, "CONNECT_SECONDS", 1)

    with pytest.raises(
        ExecutionError, match=r"^tcp://127.0.0.1:9: no Dask scheduler answers at this address.$"
    ):
        executor.run([(double, (1,))], jobs=1, scheduler="tcp://127.0.0.1:9")


def test_without_distributed_the_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(FlanbuildError, match=r"pip install 'flanbuild\[dask\]'"):
        executor.run([(double, (1,))], jobs=1, scheduler="tcp://127.0.0.1:9")


def test_a_worker_with_other_versions_refuses_to_work():
    here = executor._versions()

    with pytest.raises(
        ExecutionError, match=r"the worker has polars \S+ instead of 0.1; install the client's versions"
    ):
        executor._on_worker(here | {"polars": "0.1"}, double, (1,))


def test_dask_and_its_address_go_together():
    assert executor.cluster("process", "") == ""
    assert executor.cluster("dask", "tcp://h:1") == "tcp://h:1"
    with pytest.raises(DeclarationError, match="--executor dask needs --scheduler"):
        executor.cluster("dask", "")
    with pytest.raises(DeclarationError, match="--scheduler tcp://h:1 goes with --executor dask"):
        executor.cluster("process", "tcp://h:1")
