"""Downloading all datasets from a hub with latency, one by one and several at a time.

    python benchmarks/download.py --latency 0.05 --jobs 8 --rounds 3

The hub is tests/hub_server.py in a process of its own on this machine; it waits `latency` before each answer. It
has every dataset's rows as Parquet or text in the hub's layouts: real rows where --real names a folder of them, else
sample rows. Each run is a process with a lock, an empty cache and an empty raw folder.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import common

sys.path.insert(0, str(common.ROOT / "tests"))

LOCK, RAW, CACHE = "lock.json", "raw", "cache"


def main() -> None:
    """Measures both numbers of jobs in turn, on the same files."""
    given = _arguments()
    work = common.work_folder(given.work) / "download"
    if given.run:
        _run(work, given.run, given.endpoint)
        return
    shutil.rmtree(work, ignore_errors=True)
    datasets, tasks = _prepare(work, given.real)
    with _serving(work / "hub", given.latency) as endpoint:
        _lock(work, endpoint)
        common.heading(
            f"download: {datasets} datasets, {tasks} tasks, {given.latency * 1000:.0f} ms before each answer",
            given.rounds,
        )
        runs = common.interleave(
            {
                f"--jobs {jobs}": common.script(
                    "benchmarks/download.py", "--work", work.parent, "--run", jobs, "--endpoint", endpoint
                )
                for jobs in (1, given.jobs)
            },
            given.rounds,
        )
    print(
        "\n| | download s, median of rounds | files | MB | digest of all raw files |\n|---|--:|--:|--:|---|"
    )
    seconds = {}
    for name, of in runs.items():
        seconds[name] = sorted(run.result["seconds"] for run in of)[len(of) // 2]
        result = of[0].result
        print(
            f"| {name} | {seconds[name]:.2f} | {result['files']:.0f} | {result['mb']:.1f} | {result['digest']} |"
        )
    one, many = seconds.values()
    print(f"\n{one / many:.1f} times as fast with --jobs {given.jobs}.")


def _prepare(work: Path, real: Path | None) -> tuple[int, int]:
    from hub_world import write_repos, write_world

    members = _members()
    write_repos(write_world(members, real, work / "mirror"), work / "hub")
    return len({task.dataset for task in members}), len(members)


def _lock(work: Path, endpoint: str) -> None:
    from flanbuild.sources.client import Client
    from flanbuild.sources.lock import Lock
    from flanbuild.sources.update import lock_tasks

    lock = Lock(work / LOCK)
    client = Client(endpoint=endpoint, cache=work / CACHE)
    locked = lock_tasks(_members(), lock, anew=False, jobs=8, client=client)
    if locked.faults or locked.by_hand:
        raise SystemExit("\n".join(locked.faults + locked.by_hand))
    lock.tasks.update(locked.entries)
    lock.write()


def _run(work: Path, jobs: int, endpoint: str) -> None:
    """One download into empty folders; says how long it took, without Python's start, and what came."""
    from flanbuild.artifacts.executor import Workers
    from flanbuild.sources import raw
    from flanbuild.sources.client import Client
    from flanbuild.sources.hub import HubSource
    from flanbuild.sources.lock import read_lock

    for name in (RAW, CACHE):
        shutil.rmtree(work / name, ignore_errors=True)
    members = _members()
    source = HubSource(read_lock(work / LOCK), Client(endpoint=endpoint, cache=work / CACHE))
    began = perf_counter()
    raw.download_all(members, source, work / RAW, "error", Workers(jobs))
    seconds = perf_counter() - began
    blobs = [path for path in (work / CACHE).rglob("blobs/*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted((work / RAW).rglob("*.parquet")):
        digest.update(path.read_bytes())
    megabytes = sum(path.stat().st_size for path in blobs) / 1e6
    print(
        json.dumps(
            {"seconds": seconds, "files": len(blobs), "mb": megabytes, "digest": digest.hexdigest()[:16]}
        )
    )


def _members() -> list:
    from hub_world import fewer_rows

    from flanbuild.declare.task_files import load_tasks

    return [fewer_rows(task) for task in load_tasks([common.ROOT / "mixtures" / "tasks"]).values()]


@contextmanager
def _serving(folder: Path, latency: float) -> Iterator[str]:
    command = common.script("tests/hub_server.py", folder, "--latency", latency)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--real", type=Path, default=os.environ.get("FLANBUILD_MIRROR"))
    parser.add_argument("--run", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
