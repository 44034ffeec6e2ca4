"""Benchmark of reading shards as Python dictionaries: in order, at random, and from the middle of an epoch.

    python benchmarks/read.py --tasks 62 --rows 30000 --rounds 3

Compares `flanbuild.load` with `datasets` over the same mapped shards. Figures are measured in the process
after its imports: rows per second over 300,000 rows in order and 20,000 at random, seconds to open, and
seconds to the first batch of a shuffled epoch resumed in its middle. The shards are those of
benchmarks/mix.py, written if they are missing.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import common
import mix
import peers

BATCH, RANKS = 32, 8
T = TypeVar("T")


def main() -> None:
    """Measures both in turn, or flanbuild alone in this process."""
    arguments = _arguments()
    if arguments.only:
        ours(arguments.only)
        return
    work = common.work_folder(arguments.work)
    rendered = mix.inputs(work, arguments.tasks, arguments.rows)
    folder = mix.shards(work, rendered)
    if not folder.exists():
        common.measure(mix.ours(work, rendered, common.CORES))
    commands = {
        "flanbuild.load": common.script("benchmarks/read.py", "--only", folder),
        "datasets": common.script("benchmarks/peers.py", "read", folder, folder),
    }
    common.heading(f"read: {arguments.tasks * arguments.rows:,} rows in shards", arguments.rounds)
    runs = common.interleave(commands, arguments.rounds)
    _report(runs)


def ours(folder: Path) -> None:
    """Prints the figures as one line of JSON."""
    import torch.utils.data  # noqa: F401 - so that resuming does not include the import

    import flanbuild

    opened, examples = _timed(lambda: flanbuild.load(folder))
    result = {"open": opened} | peers.measure_reading(examples)
    loader = examples.loader(BATCH, seed=1, rank=RANKS - 1, world_size=RANKS, drop_last=True)
    state = {**loader.state_dict(), "epoch": 2, "position": len(examples) // 2}
    loader.load_state_dict(state)
    result["resume"], _ = _timed(lambda: next(iter(loader)))
    print(json.dumps(result))


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def _report(runs: dict[str, list[common.Run]]) -> None:
    keys = ("in order", "at random", "open", "resume")
    print(
        "\n| | in order, rows/s | at random, rows/s | open, s | resume in mid-epoch, s |\n|---|--:|--:|--:|--:|"
    )
    for name, of in runs.items():
        cells = [_cell(key, [run.result[key] for run in of if key in run.result]) for key in keys]
        print(f"| {name} | {' | '.join(cells)} |")
    pairs = list(zip(*runs.values(), strict=True))
    for key in ("in order", "at random"):
        ratio = median(a.result[key] / b.result[key] for a, b in pairs)
        print(f"\n{key}: {ratio:.1f} times as many rows a second.")


def _cell(key: str, values: list[float]) -> str:
    if not values:
        return "-"
    return f"{median(values):,.0f}" if key in ("in order", "at random") else f"{median(values):.3f}"


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--tasks", type=int, default=62)
    parser.add_argument("--rows", type=int, default=30_000, help="a task")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
