"""Exporting: time and memory of each layout beside writing the shards of the same mixture, in the same run.

    python benchmarks/export.py --tasks 62 --rows 30000 --token-rows 1000 --rounds 3

Every variant is a whole process: `pipeline.mix` for the shards, `flanbuild export` for a layout. Inputs are those of
benchmarks/mix.py. Layouts of tokens export a smaller mixture of --token-rows rows a task, since a tokenizer takes far
longer than everything else; their last columns are computed per row.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import median

import common
import mix

from flanbuild.export.views import VIEWS
from flanbuild.model.tokenizer import train_tokenizer
from flanbuild.read import load

SHARDS = "shards"
VOCAB_SIZE = 8000
TOKENIZER_ROWS = 2000
OF_MIXTURES = [name for name, view in VIEWS.items() if "evaluation" not in view.options]
"""The layouts of what a mixture holds, not of what it holds out."""


def main() -> None:
    """Measures all layouts in turn."""
    arguments = _arguments()
    work = common.work_folder(arguments.work)
    rendered = mix.inputs(work, arguments.tasks, arguments.rows)
    text, few = (_mixture(work, arguments.tasks, rows) for rows in (arguments.rows, arguments.token_rows))
    tokenizer = _tokenizer(few, work)
    out = work / "export"
    commands = {SHARDS: _shards(work, rendered, out)}
    for name in arguments.views or OF_MIXTURES:
        view = VIEWS[name]
        of_tokens = "tokenizer" in view.options
        options = ["--tokenizer", str(tokenizer)] if of_tokens else []
        options += ["--date", "2026-11-26"] if "date" in view.options else []
        commands[name] = _export(few if of_tokens else text, name, out, options)
    common.heading(
        f"export: {len(load(text)):,} rows ({len(load(few)):,} as tokens), {_megabytes(text):,.0f} MB of shards",
        arguments.rounds,
    )
    runs = common.interleave(commands, arguments.rounds, fresh=out)
    rows = {name: len(load(few if "--tokenizer" in command else text)) for name, command in commands.items()}
    _report(runs, rows, _megabytes(text) / len(load(text)))


def _report(runs: Mapping[str, Sequence[common.Run]], rows: Mapping[str, int], row_megabytes: float) -> None:
    """A table; speed is rows per CPU second and per second, in multiples of writing shards within a round."""
    print(
        "\n| whole process | s (range) | CPU s | rows/s | MB/s of shards | speed of shards | per CPU s | RssAnon MB |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, of in runs.items():
        walls = [run.seconds for run in of]
        share = rows[name] / rows[SHARDS]
        speed = median(base.seconds / run.seconds * share for run, base in zip(of, runs[SHARDS], strict=True))
        by_cpu = median(base.cpu / run.cpu * share for run, base in zip(of, runs[SHARDS], strict=True))
        rate = rows[name] / median(walls)
        cells = (
            name,
            f"{median(walls):.1f} ({min(walls):.1f}-{max(walls):.1f})",
            f"{median(run.cpu for run in of):.1f}",
            f"{rate:,.0f}",
            f"{rate * row_megabytes:,.0f}",
            f"{speed:.2f}",
            f"{by_cpu:.2f}",
            f"{max(run.anonymous for run in of):,.0f}",
        )
        print(f"| {' | '.join(cells)} |")


def _mixture(work: Path, tasks: int, rows: int) -> Path:
    """A mixture of so many rows, kept between runs."""
    rendered = mix.inputs(work, tasks, rows)
    folder = mix.shards(work, rendered)
    if not folder.exists():
        common.measure(mix.ours(work, rendered, common.CORES))
    return folder


def _shards(work: Path, rendered: Path, out: Path) -> list[str]:
    """The stage that writes the shards, with a data folder below `out` that has the same rendered rows."""
    stage = mix.ours(work, rendered, common.CORES)
    stage[stage.index("--data") + 1] = str(out)
    link = f"mkdir -p {out} && ln -s {rendered.parent} {out}/rendered && exec {' '.join(stage)}"
    return ["sh", "-c", link]


def _export(folder: Path, name: str, out: Path, options: list[str]) -> list[str]:
    command = [sys.executable, "-m", "flanbuild", "export", str(folder), "--to", name]
    return [*command, "--out", str(out / name), "--jobs", str(common.CORES), *options]


def _tokenizer(mixture: Path, work: Path) -> Path:
    """A byte-level tokenizer of the mixture's first rows."""
    folder = work / "tokenizer"
    if not folder.exists():
        rows = load(mixture, columns=("prompt", "completion"))[:TOKENIZER_ROWS]
        texts = chain.from_iterable((row["prompt"], row["completion"]) for row in rows)
        train_tokenizer(texts, VOCAB_SIZE).save_pretrained(folder)
    return folder


def _megabytes(folder: Path) -> float:
    return sum(shard.bytes for shard in load(folder).shards) / 1e6


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--tasks", type=int, default=62)
    parser.add_argument("--rows", type=int, default=30_000, help="a task")
    parser.add_argument("--token-rows", type=int, default=1000, help="a task, for layouts of tokens")
    parser.add_argument("--views", nargs="+", choices=OF_MIXTURES, metavar="LAYOUT")
    return parser.parse_args()


if __name__ == "__main__":
    main()
