"""Results come in the order of the work items, and a worker that dies costs nothing but time."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
from few import few

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.records import writer_versions
from flanbuild.errors import DeclarationError, ExecutionError, FlanbuildError, SourceError
from flanbuild.render.training_rows import render


def double(number):
    return 2 * number


def fail():
    raise SourceError("no rows")


def fill_the_disk():
    raise OSError(28, "No space left on device")


def die(died, times, function, *arguments):
    """Kills the process that runs it, the first `times` times."""
    kills = Path(died)
    count = len(kills.read_text()) if kills.is_file() else 0
    if count < times:
        kills.write_text("x" * (count + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments)


def render_one(task, raw, mixture, folder):
    artifact.build(folder, partial(render, task, raw, mixture))


def files(root):
    """The artifacts below `root`, without locks and without what a killed worker leaves for the next run to sweep."""
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {
        path: (root / path).read_bytes()
        for path in paths
        if not any(part.startswith(".") for part in path.parts)
    }


def render_killed(tmp_path, workers):
    """Renders three tasks by two workers, one of which dies over the second task; returns what is written."""
    build = few(tmp_path / "data")
    build.download()
    items = []
    for task in build.tasks.values():
        raw, folder = (
            task_folder(root, task.cluster, task.name) for root in (build.addresses.raw, build.rendered)
        )
        items.append((render_one, (task, raw, build.mixture, folder)))
    function, arguments = items[1]
    items[1] = (die, (tmp_path / "died", 1, function, *arguments))
    executor.run(items, workers)
    assert (tmp_path / "died").is_file()
    return files(build.rendered)


@pytest.fixture
def whole(tmp_path):
    """The files that rendering writes when no worker dies."""
    build = few(tmp_path / "whole")
    build.render()
    return files(build.rendered)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs):
    ended = []
    items = [(double, (number,)) for number in range(5)]

    assert executor.run(items, Workers(jobs), done=lambda: ended.append(1)) == [0, 2, 4, 6, 8]
    assert len(ended) == 5


def test_the_item_of_a_killed_worker_is_done_again(tmp_path, whole):
    assert render_killed(tmp_path, Workers(2)) == whole


def test_an_item_that_kills_every_worker_ends_the_run_with_a_sentence(tmp_path):
    items = [(die, (tmp_path / "died", 9, double, 1)), (double, (1,))]

    with pytest.raises(ExecutionError, match="A worker died 3 times"):
        executor.run(items, Workers(2))


def test_dask_gives_results_in_order_and_errors_as_they_are(dask):
    items = [(double, (number,)) for number in range(5)]

    assert executor.run(items, Workers(scheduler=dask)) == [0, 2, 4, 6, 8]
    with pytest.raises(SourceError, match="no rows"):
        executor.run([(fail, ())], Workers(scheduler=dask))
    with pytest.raises(OSError, match="No space left") as caught:
        executor.run([(fill_the_disk, ())], Workers(scheduler=dask))
    assert caught.value.errno == 28


def test_dask_does_the_item_of_a_killed_worker_again(tmp_path, whole, mortal_dask):
    assert render_killed(tmp_path, Workers(scheduler=mortal_dask)) == whole


def test_an_item_that_kills_every_dask_worker_ends_the_run_with_a_sentence(tmp_path, mortal_dask):
    items = [(die, (tmp_path / "died", 9, double, 1))]

    with pytest.raises(ExecutionError, match=r"one work item killed several workers|no worker connected"):
        executor.run(items, Workers(scheduler=mortal_dask))


def test_no_scheduler_at_the_address_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed", reason="flanbuild[dask] is not installed")
    monkeypatch.setattr(executor, "CONNECT_SECONDS", 1)

    with pytest.raises(
        ExecutionError, match=r"^tcp://127.0.0.1:9: no Dask scheduler answers at this address.$"
    ):
        executor.run([(double, (1,))], Workers(scheduler="tcp://127.0.0.1:9"))


def test_without_distributed_the_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(FlanbuildError, match=r"pip install 'flanbuild\[dask\]'"):
        executor.run([(double, (1,))], Workers(scheduler="tcp://127.0.0.1:9"))


def test_a_worker_with_other_versions_refuses_to_work():
    here = writer_versions()

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
