"""From a model folder to a report folder.

`scores.json`: per held-out task and metric the tuned and the untuned model, majority, random and the paper;
`templates.csv`: the score of each template; `predictions.arrow`: what each model said to each row, with the
log-likelihood of each option; `training.csv` and `validation.csv`: the losses of the model's training, if it
has them.
"""

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flanbuild.artifacts.arrow import write_batches
from flanbuild.artifacts.files import read_json, sha256_of, staged, write_json
from flanbuild.errors import require
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.paper import PAPER
from flanbuild.evaluation.rows import PREDICTIONS, EvaluationRows, HeldOutTask, held_out_tasks, read_manifest
from flanbuild.evaluation.scores import Answers, by_template, chosen, majority, random_guess, summary
from flanbuild.progress import Advance, Progress, log, silent

if TYPE_CHECKING:
    from flanbuild.evaluation.models import EvalModel
    from flanbuild.evaluation.ranking import Method

_FORMAT = 1
_MODULES = ("rouge_score", "sacrebleu", "scipy", "sklearn", "tokenizers", "torch", "transformers")
_LOSSES = {"log.csv": "training.csv", "validation.csv": "validation.csv"}
_COLUMNS = ("model", "cluster", "task", "metric", "template", "score", "rows")

Scores = dict[str, dict[int, float]]  # metric → template → score


@dataclass(frozen=True)
class ModelRef:
    """A model to evaluate: `tuned` or `untuned`, and where it is."""

    role: str
    name: str
    revision: str | None = None


def evaluate(
    model: Path | str,
    mixture: Path,
    rendered: Path,
    out: Path,
    config: EvaluateConfig | None = None,
    progress: Progress = silent,
) -> None:
    """Asks a model, and the model it was trained from if it tells, every held-out task under every template.

    Options are ranked by likelihood; where there are none the model writes. A task without rows is listed in
    `scores.json` under `not_evaluated`. The folder `out` is written whole or not at all.
    """
    require("`flanbuild evaluate`", "train", _MODULES)
    config = config or EvaluateConfig()
    manifest = read_manifest(mixture)
    tasks = held_out_tasks(manifest, rendered)
    rows = {task.task: task.rows(config.examples) for task in tasks if not task.missing}
    with staged(out) as folder:
        found = _answer_all(_models(str(model)), tasks, rows, config, folder, progress)
        scores = _scores(tasks, rows, found)
        write_json(folder / "scores.json", _document(str(model), manifest, tasks, scores, found, config))
        _write_templates(folder / "templates.csv", tasks, rows, found)
        _copy_losses(Path(model), folder)


@dataclass(frozen=True)
class _Found:
    """What a model's answers to a task come to."""

    scores: Scores
    cut_prompts: int


Found = Mapping[tuple[str, str], _Found]  # (role, task)


def _models(model: str) -> list[ModelRef]:
    tuned = ModelRef("tuned", model)
    path = Path(model) / "training.json"
    if not path.is_file():
        return [tuned]
    untuned = read_json(path)["untuned"]
    if "folder" in untuned:
        return [tuned, ModelRef("untuned", str(Path(model) / untuned["folder"]))]
    return [tuned, ModelRef("untuned", untuned["name"], untuned["revision"])]


def _answer_all(
    models: Sequence[ModelRef],
    tasks: Sequence[HeldOutTask],
    rows: Mapping[str, EvaluationRows],
    config: EvaluateConfig,
    folder: Path,
    progress: Progress,
) -> Found:
    """Every model's answers to every task, scored, and written to `predictions.arrow` as they come."""
    from flanbuild.evaluation.models import load
    from flanbuild.evaluation.ranking import method_for

    found: dict[tuple[str, str], _Found] = {}

    def tables() -> Iterator[pa.Table]:
        for named in models:
            answerer = load(named.name, config, named.revision)
            method = method_for(answerer)
            with progress(sum(map(len, rows.values())), f"evaluate {named.role}") as advance:
                for task in tasks:
                    if task.missing:
                        continue
                    answers, cut = _answer(answerer, method, rows[task.task], advance)
                    found[named.role, task.task] = _Found(
                        by_template(rows[task.task], answers, task.metrics), cut
                    )
                    yield _predictions(named.role, task, rows[task.task], answers)

    write_batches(folder / "predictions.arrow", PREDICTIONS, tables())
    return found


def _answer(
    answerer: "EvalModel", method: "Method", rows: EvaluationRows, advance: Advance
) -> tuple[Answers, int]:
    from flanbuild.evaluation import generation
    from flanbuild.evaluation.ranking import loglikelihoods, requests

    if not rows.ranked:
        texts, cut = generation.generate(answerer, rows.prompt, advance)
        return Answers(texts, [[] for _ in texts]), cut
    asked, cut = requests(answerer, rows.prompt, rows.options)
    logliks = loglikelihoods(answerer, asked, method, advance)
    return Answers(chosen(rows, logliks), logliks), cut


def _predictions(role: str, task: HeldOutTask, rows: EvaluationRows, answers: Answers) -> pa.Table:
    same = {"model": role, "cluster": task.cluster, "task": task.task}
    return pa.table(
        {
            **{name: [value] * len(rows) for name, value in same.items()},
            "row": rows.row,
            "template": rows.template,
            "prediction": answers.predictions,
            "answer": rows.answer,
            "options": rows.options,
            "logliks": answers.logliks,
        },
        schema=PREDICTIONS,
    )


def _scores(tasks: Sequence[HeldOutTask], rows: Mapping[str, EvaluationRows], found: Found) -> dict[str, Any]:
    """cluster → task → metric → figures."""
    clusters: dict[str, Any] = {}
    for task in tasks:
        if not task.missing:
            clusters.setdefault(task.cluster, {})[task.task] = _figures(task, rows[task.task], found)
    return clusters


def _figures(task: HeldOutTask, rows: EvaluationRows, found: Found) -> dict[str, Any]:
    roles = {role: found[role, name].scores for role, name in found if name == task.task}
    figures: dict[str, Any] = {
        metric: {role: summary(metric, scores[metric]) for role, scores in roles.items()}
        for metric in roles["tuned"]
    }
    for metric in task.metrics:
        figures[metric]["majority"] = majority(rows, metric)
        guess = random_guess(rows, metric)
        if guess is not None:
            figures[metric]["random"] = guess
    published = PAPER.get(task.task)
    if published and published.metric in figures:
        figures[published.metric]["paper"] = {
            k: v for k, v in asdict(published).items() if k != "metric" and v is not None
        }
    return figures


def _document(
    model: str,
    manifest: Mapping[str, Any],
    tasks: Sequence[HeldOutTask],
    scores: Mapping[str, Any],
    found: Found,
    config: EvaluateConfig,
) -> dict[str, Any]:
    missing = {f"{task.cluster}/{task.task}": task.missing for task in tasks if task.missing}
    for name, reason in missing.items():
        log(f"evaluate: {name} is not evaluated: {reason}")
    cut: dict[str, dict[str, int]] = {}
    for (role, task), result in found.items():
        if result.cut_prompts:
            cut.setdefault(role, {})[task] = result.cut_prompts
            log(f"evaluate {role}: {task}: cut the beginning of {result.cut_prompts} prompts")
    return {
        "format": _FORMAT,
        "config": asdict(config),
        "holdout": manifest["holdout"],
        "mixture": {"name": manifest["mixture"]["name"], "digest": manifest["digest"]},
        "weights": _weights(Path(model)),
        "scores": scores,
        "metrics": {task.task: list(task.metrics) for task in tasks},
        "not_evaluated": missing,
        "cut_prompts": cut,
    }


def _weights(model: Path) -> dict[str, str]:
    """Which weights were asked, by the digests of their files; none for a model read by name."""
    return {path.name: sha256_of(path) for path in sorted(model.glob("*.safetensors"))}


def _write_templates(
    path: Path, tasks: Sequence[HeldOutTask], rows: Mapping[str, EvaluationRows], found: Found
) -> None:
    clusters = {task.task: task.cluster for task in tasks}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for (role, task), result in sorted(found.items()):
            for metric, scores in result.scores.items():
                for template, score in scores.items():
                    asked = rows[task].template.count(template)
                    writer.writerow([role, clusters[task], task, metric, template, round(score, 4), asked])


def _copy_losses(model: Path, folder: Path) -> None:
    for theirs, ours in _LOSSES.items():
        if (model / theirs).is_file():
            shutil.copyfile(model / theirs, folder / ours)
