"""Compares `flanbuild evaluate --protocol lm-eval` with lm-evaluation-harness on the same rows, and prints a table.

    python benchmarks/harness.py --model DIR --mirror DIR

Both programs run as a user runs them, in float32 on the CPU: the harness on what `flanbuild export --to lm-eval` wrote,
flanbuild on its evaluation sets. Needs lm_eval 0.4.13 beside flanbuild[train]. Without --mirror the rows are those of
the embedded sample. Finished steps are not run again. Ends with 1 if a chosen option or a generated text differs, if a log-likelihood
differs by more than --tolerance nats, or if an accuracy differs at all.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flanbuild.artifacts.arrow import read_table
from flanbuild.evaluation.config import EvaluateConfig

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("rte", "cb", "copa", "piqa", "wic", "arc/easy")
METRICS = {"accuracy": "acc", "accuracy_norm": "acc_norm", "accuracy_bytes": "acc_bytes"}
TOLERANCE = 1e-3

Key = tuple[str, int, int]
"""Task, template, row."""


@dataclass
class Comparison:
    """What both programs say of one task."""

    rows: int = 0
    options: int = 0
    other_answer: int = 0
    """rows in which they choose another option or generate another text"""
    difference: float = 0.0
    """the largest of two log-likelihoods, in nats"""
    accuracies: dict[str, tuple[float, float]] = field(default_factory=dict)
    """metric -> (flanbuild, harness), mean over templates"""

    def agrees(self, tolerance: float) -> bool:
        """Whether the programs give the same numbers."""
        same = all(f"{ours:.4f}" == f"{theirs:.4f}" for ours, theirs in self.accuracies.values())
        return self.rows > 0 and same and not self.other_answer and self.difference <= tolerance


def main() -> None:
    """Runs both programs and compares them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="model folder or name on the hub")
    parser.add_argument("--mirror", help="folder of real rows in hub layout")
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--rows", type=int, default=60, help="rows per task")
    parser.add_argument("--templates", type=int, default=3, help="templates per task")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="nats")
    parser.add_argument("--work", type=Path, default=Path("build/harness"), help="folder of all files")
    args = parser.parse_args()
    seconds = run(args)
    found = compare(args.work / "ours", args.work / "theirs")
    print(table(found))
    print(
        f"\nCPU seconds: flanbuild {seconds['flanbuild']:.0f}, lm-evaluation-harness {seconds['lm_eval']:.0f}."
    )
    sys.exit(0 if all(one.agrees(args.tolerance) for one in found.values()) else 1)


def run(args: argparse.Namespace) -> dict[str, float]:
    """Builds the rows, exports them and runs both programs; returns the CPU seconds of the two."""
    work: Path = args.work
    work.mkdir(parents=True, exist_ok=True)
    (work / "compare.yaml").write_text("tasks: [mrpc]\ncap: 200\nsize: {passes: 1}\nshards: 1\n")
    source = ["--source", "mirror", "--mirror", args.mirror] if args.mirror else ["--source", "sample"]
    data = [*source, "--data", str(work / "data")]
    holdout = [part for task in args.tasks for part in ("--holdout", task)]
    flanbuild = [sys.executable, "-m", "flanbuild"]
    call([*flanbuild, "mixture", str(work / "compare.yaml"), *holdout, *data])
    call([*flanbuild, "evalset", *args.tasks, *data])
    mixture = next((work / "data" / "mixtures").glob("compare-*"))
    limits = ["--examples", str(args.rows), "--templates", str(args.templates)]
    sets = ["--evaluation", str(work / "data" / "evaluation")]
    call(
        [*flanbuild, "export", str(mixture), "--to", "lm-eval", "--out", str(work / "tasks"), *sets, *limits]
    )
    seconds = {}
    if not (work / "ours" / "scores.json").is_file():
        others = ["--dev-examples", "0", "--seen-tasks", "0", "--dtype", "float32", "--protocol", "lm-eval"]
        others += ["--max-new-tokens", str(EvaluateConfig().max_new_tokens)]
        command = [*flanbuild, "evaluate", args.model, str(mixture), "--out", str(work / "ours")]
        seconds["flanbuild"] = call([*command, *sets, *limits, *others])
    if not list((work / "theirs").rglob("results_*.json")):
        model = f"pretrained={args.model},dtype=float32"
        command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--model_args", model]
        where = ["--include_path", str(work / "tasks"), "--tasks", "flanbuild", "--device", "cpu"]
        output = ["--batch_size", "16", "--log_samples", "--output_path", str(work / "theirs")]
        seconds["lm_eval"] = call([*command, *where, *output])
    times = work / "seconds.json"
    known = json.loads(times.read_text()) if times.is_file() else {}
    times.write_text(json.dumps(known | seconds))
    return known | seconds


def call(command: list[str]) -> float:
    """Runs a command and returns its CPU seconds. Its output goes to stderr."""
    print("$", " ".join(command), file=sys.stderr, flush=True)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
    before = os.times()
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"  {time.perf_counter() - start:.0f} s, CPU {cpu:.0f} s", file=sys.stderr, flush=True)
    return cpu


def compare(ours: Path, theirs: Path) -> dict[str, Comparison]:
    """What both programs say, by task. Raises KeyError if one of them lacks a row of the other."""
    predictions = {
        (row["task"], row["template"], row["row"]): row
        for row in read_table(ours / "predictions.arrow").to_pylist()
    }
    samples = harness_samples(theirs)
    if len(samples) != len(predictions):
        raise KeyError(f"{len(predictions)} rows by flanbuild, {len(samples)} by the harness")
    found: dict[str, Comparison] = {}
    for (task, template, number), row in predictions.items():
        sample = samples[task.replace("/", "_"), template, number]
        one = found.setdefault(task, Comparison())
        one.rows += 1
        if not row["options"]:  # generated text
            one.other_answer += row["prediction"] != sample["resps"][0][0]
            continue
        logliks = [float(response[0][0]) for response in sample["resps"]]
        one.options += len(logliks)
        one.other_answer += row["prediction"] != row["options"][int(np.argmax(logliks))]
        one.difference = max(one.difference, float(np.abs(np.subtract(row["logliks"], logliks)).max()))
    results = {}
    for path in sorted(theirs.rglob("results_*.json")):
        results |= json.loads(path.read_text())["results"]
    with (ours / "templates.csv").open(newline="", encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    for task, one in found.items():
        for metric, name in METRICS.items() if one.options else ():
            own = [
                (row["template"], float(row["score"]))
                for row in scores
                if (row["task"], row["metric"]) == (task, metric)
            ]
            other = [
                100 * results[f"flanbuild_{task.replace('/', '_')}_t{template}"][f"{name},none"]
                for template, _ in own
            ]
            one.accuracies[metric] = (float(np.mean([score for _, score in own])), float(np.mean(other)))
    return found


def harness_samples(folder: Path) -> dict[Key, dict]:
    """The samples that the harness logged."""
    samples = {}
    for path in sorted(folder.rglob("samples_*.jsonl")):
        task = path.name.removeprefix("samples_flanbuild_").rpartition("_t")[0]
        for line in path.read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            samples[task, sample["doc"]["template"], sample["doc"]["row"]] = sample
    return samples


def table(found: dict[str, Comparison]) -> str:
    """The comparison as a Markdown table."""
    lines = [
        "| task | rows × templates | options | other answer | largest difference, nats | acc | acc_norm | acc_bytes |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for task, one in sorted(found.items()):
        pairs = [f"{ours:.2f} / {theirs:.2f}" for ours, theirs in one.accuracies.values()] or ["–"] * len(
            METRICS
        )
        cells = [
            task,
            str(one.rows),
            str(one.options),
            str(one.other_answer),
            f"{one.difference:.1e}",
            *pairs,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
