"""From a model folder to a folder of scores.

`scores.json` (ScoreRecord): per held-out task and metric the tuned and the untuned model, majority, random and the
paper. `templates.csv`: the score of each template. `predictions.arrow`: the prediction for each row, with the
log-likelihood of each option. `training.csv` and `validation.csv`: the losses of the model's training, if it has them.
"""

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from flanbuild.artifacts.arrow import write_batches
from flanbuild.artifacts.files import locked, staged
from flanbuild.artifacts.records import SCORES, TRAINING, Manifest, read_record, write_record
from flanbuild.errors import FlanbuildError, require
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.metrics import require_metrics
from flanbuild.evaluation.paper import PAPER
from flanbuild.evaluation.record import MetricScores, ModelRun, PaperScores, Role, ScoreRecord
from flanbuild.evaluation.rows import PREDICTIONS, EvaluationRows, EvaluationTask, held_out_tasks
from flanbuild.evaluation.scores import Answers, by_template, chosen, majority, random_guess, summary
from flanbuild.model.chat import log_unused_template
from flanbuild.model.files import locate
from flanbuild.model.record import Environment, MixtureRef, ModelRef, TrainingRecord, model_versions
from flanbuild.model.tokenizer import tokenizer_digest
from flanbuild.progress import Advance, Progress, log, silent

if TYPE_CHECKING:
    from flanbuild.evaluation.models import EvalModel
    from flanbuild.evaluation.ranking import Method
    from flanbuild.evaluation.requests import Requests

_MODULES = ("safetensors", "tokenizers", "torch", "transformers")
_LOSSES = {"log.csv": "training.csv", "validation.csv": "validation.csv"}
_COLUMNS = ("model", "cluster", "task", "metric", "template", "score", "rows")

Scores = Mapping[str, Mapping[int, float]]
"""Metric → template → score."""
RowsByTask = Mapping[str, EvaluationRows]


@dataclass(frozen=True)
class _ModelResult:
    """What the evaluation of one model gave, by task, and how it was run."""

    run: ModelRun
    scores: dict[str, Scores]


def evaluate(
    model: Path | str,
    mixture: Path,
    evaluation: Path,
    out: Path,
    config: EvaluateConfig | None = None,
    progress: Progress = silent,
) -> None:
    """Scores a model, and the one it was trained from, zero-shot on every held-out task under every template.

    `evaluation` holds the evaluation sets (`data/evaluation`). Options are ranked by log-likelihood; where there are
    none, text is generated. Tasks without test rows are listed in `scores.json` under `not_evaluated`. If the model
    before training cannot be read, the scores have no `untuned`, with a message. The folder `out` is written whole or
    not at all. Raises ArtifactError if an evaluation set is missing or does not belong to the mixture, or if there is
    nothing to evaluate, and ExecutionError if a model's scores are not finite.
    """
    require("`flanbuild evaluate`", "train", _MODULES)
    config = _with_template(config or EvaluateConfig(), Path(model))
    manifest, declared = held_out_tasks(mixture, evaluation)
    tasks = [task for task in declared if not task.missing]
    require_metrics(metric for task in tasks for metric in task.metrics)
    rows = {task.task: task.rows(config.examples) for task in tasks}
    not_evaluated = {f"{task.cluster}/{task.task}": task.missing for task in declared if task.missing}
    for name, reason in not_evaluated.items():
        log(f"evaluate: {name} is not evaluated: {reason}")
    with locked(out), staged(out) as folder:
        results, not_asked = _run_all(_models(str(model), config), tasks, rows, config, folder, progress)
        record = _record(manifest, tasks, rows, results, config, not_asked, not_evaluated)
        write_record(folder / SCORES, record)
        _write_templates(folder / "templates.csv", tasks, rows, results)
        _copy_losses(Path(model), folder)


def _models(model: str, config: EvaluateConfig) -> dict[Role, ModelRef]:
    """The model, and the one it was trained from if its record names one."""
    models: dict[Role, ModelRef] = {
        "tuned": ModelRef.of(model, config.revision, config.tokenizer, config.tokenizer_revision)
    }
    path = Path(model) / TRAINING
    if path.is_file():
        base = read_record(path, TrainingRecord).base.resolved(Path(model))
        names = ("tokenizer", "tokenizer_revision") if config.tokenizer else ()
        tokenizer = {name: getattr(config, name) for name in names}
        models["untuned"] = base.model_copy(update=tokenizer)
    return models


def _with_template(config: EvaluateConfig, model: Path) -> EvaluateConfig:
    """The settings with the template that the model was trained with, if they leave it open."""
    if config.template != "auto":
        return config
    path = model / TRAINING
    trained = read_record(path, TrainingRecord).config.get("template") if path.is_file() else None
    return replace(config, template="chat" if trained == "chat" else "none")


def _run_all(
    models: Mapping[Role, ModelRef],
    tasks: Sequence[EvaluationTask],
    rows: RowsByTask,
    config: EvaluateConfig,
    folder: Path,
    progress: Progress,
) -> tuple[dict[Role, _ModelResult], dict[Role, str]]:
    """The result of every model, with predictions written as they come, and the models that could not be read."""
    results: dict[Role, _ModelResult] = {}
    not_asked: dict[Role, str] = {}

    def tables() -> Iterator[pa.Table]:
        from flanbuild.evaluation.models import on_device
        from flanbuild.evaluation.ranking import method_for

        for role, opened in _open(models, config, not_asked).items():
            total = sum(map(len, rows.values()))
            with on_device(opened) as model, progress(total, f"evaluate {role}") as advance:
                method = method_for(model)
                results[role] = _ModelResult(_model_run(models[role], model, method), {})
                for task in tasks:
                    answers, requests = _answer(model, method, rows[task.task], task.task, advance)
                    _count(results, role, task.task, requests)
                    results[role].scores[task.task] = by_template(rows[task.task], answers, task.metrics)
                    yield _predictions(role, task, rows[task.task], answers)

    write_batches(folder / "predictions.arrow", PREDICTIONS, tables())
    return results, not_asked


def _open(
    models: Mapping[Role, ModelRef], config: EvaluateConfig, not_asked: dict[Role, str]
) -> dict[Role, "EvalModel"]:
    """All models, read before the first request, so that a fault of the last one costs no work of the others."""
    from flanbuild.evaluation.models import load

    opened = {}
    for role, ref in models.items():
        try:
            opened[role] = load(ref, config)
        except FlanbuildError as error:
            if role == "tuned":
                raise
            not_asked[role] = str(error)
            log(f"evaluate: the {role} model is left out: {error}")
            continue
        if role == "tuned" and not (Path(ref.name) / TRAINING).is_file():
            log_unused_template("evaluate", ref.name, opened[role].codec.tokenizer, config.template)
    return opened


def _answer(
    model: "EvalModel", method: "Method", rows: EvaluationRows, task: str, advance: Advance
) -> tuple[Answers, "Requests"]:
    from flanbuild.evaluation.generation import generate
    from flanbuild.evaluation.ranking import loglikelihoods
    from flanbuild.evaluation.requests import generation_requests, ranking_requests

    if not rows.ranked:
        generation = generation_requests(model, rows.prompt, task=task)
        texts = generate(model, generation.requests, advance, task=task)
        return Answers(texts, [[] for _ in texts]), generation
    ranking = ranking_requests(model, rows.prompt, rows.options, task=task)
    logliks = loglikelihoods(model, ranking.requests, method, advance, task=task)
    return Answers(chosen(rows, logliks), logliks), ranking


def _count(results: dict[Role, _ModelResult], role: Role, task: str, requests: "Requests") -> None:
    """Adds a task's truncated prompts and border merges to the record of its model."""
    counts = {}
    if requests.truncated_prompts:
        log(f"evaluate {role}: {task}: {requests.truncated_prompts} prompts lost their beginning")
        counts["truncated_prompts"] = requests.truncated_prompts
    if requests.border_merges:
        counts["border_merges"] = requests.border_merges
    run = results[role].run
    changed = {name: getattr(run, name) | {task: count} for name, count in counts.items()}
    results[role] = replace(results[role], run=run.model_copy(update=changed))


def _model_run(ref: ModelRef, model: "EvalModel", method: "Method") -> ModelRun:
    from flanbuild.evaluation.ranking import method_name
    from flanbuild.model.loader import dtype_name

    hub = ref.kind == "hub"
    commit = getattr(model.model.config, "_commit_hash", None)
    return ModelRun(
        name=ref.name if hub else None,
        revision=(commit or ref.revision) if hub else None,
        weights=locate(ref, option="evaluate.model").weights(),
        tokenizer=tokenizer_digest(model.codec.tokenizer),
        dtype=dtype_name(model.model.dtype),
        attention=str(model.model.config._attn_implementation),
        ranking=method_name(method),
        truncated_prompts={},
        border_merges={},
    )


def _predictions(role: Role, task: EvaluationTask, rows: EvaluationRows, answers: Answers) -> pa.Table:
    constant = {"model": role, "cluster": task.cluster, "task": task.task}
    return pa.table(
        {
            **{name: [value] * len(rows) for name, value in constant.items()},
            "row": rows.row,
            "template": rows.template,
            "prediction": answers.predictions,
            "answer": rows.answer,
            "options": rows.options,
            "logliks": answers.logliks,
        },
        schema=PREDICTIONS,
    )


def _record(
    manifest: Manifest,
    tasks: Sequence[EvaluationTask],
    rows: RowsByTask,
    results: Mapping[Role, _ModelResult],
    config: EvaluateConfig,
    not_asked: dict[Role, str],
    not_evaluated: dict[str, str],
) -> ScoreRecord:
    from flanbuild.model.loader import default_device, device_name

    scores: dict[str, dict[str, dict[str, MetricScores]]] = {}
    for task in tasks:
        scores.setdefault(task.cluster, {})[task.task] = _metric_scores(task, rows[task.task], results)
    return ScoreRecord.of(
        mixture=MixtureRef(name=manifest.name, digest=manifest.digest),
        holdout=manifest.holdout,
        config=asdict(config),
        evaluation_sets={task.task: task.digest for task in tasks},
        models={role: result.run for role, result in results.items()},
        not_asked=not_asked,
        scores=scores,
        metrics={task.task: task.metrics for task in tasks},
        not_evaluated=not_evaluated,
        environment=Environment(device=device_name(default_device()), versions=model_versions()),
    )


def _metric_scores(
    task: EvaluationTask, rows: EvaluationRows, results: Mapping[Role, _ModelResult]
) -> dict[str, MetricScores]:
    """The scores of each metric of a task; those that are not declared are scores of models only."""
    published = PAPER.get(task.task)
    metrics = {}
    for metric in results["tuned"].scores[task.task]:
        declared = metric in task.metrics
        paper = None
        if published and published.metric == metric:
            values = {name: value for name, value in asdict(published).items() if name != "metric"}
            paper = PaperScores(**values)
        metrics[metric] = MetricScores(
            **{role: summary(metric, result.scores[task.task][metric]) for role, result in results.items()},
            majority=majority(rows, metric) if declared else None,
            random=random_guess(rows, metric) if declared else None,
            paper=paper,
        )
    return metrics


def _write_templates(
    path: Path,
    tasks: Sequence[EvaluationTask],
    rows: RowsByTask,
    results: Mapping[Role, _ModelResult],
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for role, result in sorted(results.items()):
            for task in sorted(tasks, key=lambda task: task.task):
                for metric, scores in result.scores[task.task].items():
                    for template, score in scores.items():
                        count = rows[task.task].template.count(template)
                        writer.writerow(
                            [role, task.cluster, task.task, metric, template, round(score, 4), count]
                        )


def _copy_losses(model: Path, folder: Path) -> None:
    for source, target in _LOSSES.items():
        if (model / source).is_file():
            shutil.copyfile(model / source, folder / target)
