"""What the benchmarks share: fair rounds, peak memory of a process and its children, one table.

Each variant runs in its own process. A round runs every variant once, in turn, so that other load on the
machine affects all of them; ratios are computed within a round, and the table shows medians over the rounds.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
POLL = 0.02
PACKAGES = ("pyarrow", "polars", "numpy", "datasets")


@dataclass(frozen=True)
class Run:
    """One process, measured from before its start to after its end."""

    seconds: float
    cpu: float
    """CPU seconds of the process and its children, the figure that depends least on other load"""
    anonymous: float
    """peak MB: RssAnon of the process and its children, without pages of mapped files, which can be dropped"""
    result: dict[str, float]
    """the last line of its output, if that is a JSON object"""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of the inputs")
    return parser


def script(name: str, *arguments: object) -> list[str]:
    """The command that runs a script of the repository with this Python."""
    return [sys.executable, str(ROOT / name), *map(str, arguments)]


def stage(name: str, *arguments: object) -> list[str]:
    """The command that runs a stage of the pipeline, as DVC does."""
    return [sys.executable, "-m", f"pipeline.{name}", *map(str, arguments)]


def interleave(
    commands: Mapping[str, Sequence[str]], rounds: int, fresh: Path | None = None
) -> dict[str, list[Run]]:
    """Runs A B C, A B C, … and returns the runs of each variant. The first round is a warm-up and does not count.

    The folder `fresh` is deleted before every run, outside the measured time: overwriting files that exist
    has another cost than writing new ones, and no variant should gain by it.
    """
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            if fresh:
                shutil.rmtree(fresh, ignore_errors=True)
            run = measure(command)
            counted = f"round {number}" if number else "to warm up"
            print(f"  {counted}: {name}: {run.seconds:.2f} s", file=sys.stderr, flush=True)
            if number:
                runs[name].append(run)
    return runs


def measure(command: Sequence[str]) -> Run:
    """Runs a command and measures it. Raises SystemExit with its output if it fails."""
    with tempfile.TemporaryFile("w+") as output:
        before, start = _children_cpu(), time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, env=_environment()
        )
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, sum(_anonymous(pid) for pid in _family(process.pid)))
            time.sleep(POLL)
        seconds = time.perf_counter() - start
        output.seek(0)
        lines = output.read().splitlines()
    if process.returncode:
        raise SystemExit("\n".join([*lines, f"{' '.join(command)} ended with {process.returncode}."]))
    result = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Run(seconds, _children_cpu() - before, peak, result)


def ratio(runs: Mapping[str, Sequence[Run]], name: str, base: str) -> float:
    """The time of `name` divided by the time of `base`: the median over rounds."""
    return median(a.seconds / b.seconds for a, b in zip(runs[name], runs[base], strict=True))


def report(
    runs: Mapping[str, Sequence[Run]],
    base: str,
    *,
    rows: int,
    size: int,
    work: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """A Markdown table on stdout of whole processes; `work` has the (rows, bytes) of variants that do less."""
    print(f"\n| whole process | s (range) | × {base} | CPU s | rows/s | MB/s | RssAnon MB |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, of in runs.items():
        its_rows, its_size = (work or {}).get(name, (rows, size))
        walls = [run.seconds for run in of]
        middle = median(walls)
        cells = (
            name,
            f"{middle:.2f} ({min(walls):.2f}-{max(walls):.2f})",
            f"{ratio(runs, name, base):.2f}",
            f"{median(run.cpu for run in of):.1f}",
            f"{its_rows / middle:,.0f}",
            f"{its_size / middle / 1e6:,.0f}",
            f"{max(run.anonymous for run in of):,.0f}",
        )
        print(f"| {' | '.join(cells)} |")


def heading(title: str, rounds: int) -> None:
    """What was run, on how many cores, with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = platform.python_version()
    print(f"## {title}\n\n{rounds} rounds on {CORES} cores; Python {python}, {versions}.", flush=True)


def work_folder(given: Path | None) -> Path:
    """The folder of inputs, which are kept between runs, and of outputs."""
    folder = given or Path(tempfile.gettempdir()) / "flanbuild-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "HF_DATASETS_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family(pid: int) -> list[int]:
    """The process and all below it. Those that end meanwhile are left out."""
    family = [pid]
    for parent in family:
        for task in _listed(Path(f"/proc/{parent}/task")):
            try:
                family += map(int, (task / "children").read_text().split())
            except OSError:
                continue
    return family


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _anonymous(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return sum(int(line.split()[1]) for line in lines) * 1024 / 1e6
