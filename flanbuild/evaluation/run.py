"""From a model folder to a folder of scores.

`scores.json` (ScoreRecord): per held-out task and metric the tuned and the untuned model, their difference, majority,
random and the paper; the same for a few trained tasks. `templates.csv`: the score of each template.
`predictions.arrow`: the prediction for each row, with the log-likelihood of each option. `samples.json`: a few of them
with their prompts. `training.csv` and `validation.csv`: the losses of the model's training, if it has them.
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
from flanbuild.evaluation.answers import Answered, AnswerStore, answer, answers_key
from flanbuild.evaluation.comparison import ScoredRows, metric_scores, published
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.metrics import require_metrics
from flanbuild.evaluation.protocols import PROTOCOLS
from flanbuild.evaluation.provenance import trained_on, training_run
from flanbuild.evaluation.record import (
    SAMPLES,
    MetricScores,
    ModelRun,
    Role,
    Sample,
    SampleRecord,
    ScoreRecord,
    Split,
)
from flanbuild.evaluation.rows import (
    PREDICTIONS,
    EvaluationRows,
    EvaluationTask,
    held_out_tasks,
    seen_tasks,
)
from flanbuild.evaluation.samples import samples
from flanbuild.evaluation.scores import by_template, constants, reported, rounded
from flanbuild.model.chat import log_unused_template
from flanbuild.model.files import locate
from flanbuild.model.record import Environment, MixtureRef, ModelRef, TrainingRecord, model_versions
from flanbuild.model.tokenizer import tokenizer_digest
from flanbuild.progress import Progress, log, silent

if TYPE_CHECKING:
    from flanbuild.evaluation.models import EvalModel
    from flanbuild.evaluation.ranking import Method

_MODULES = ("safetensors", "tokenizers", "torch", "transformers")
_WRITTEN = (SCORES, SAMPLES, "predictions.arrow", "templates.csv", "training.csv", "validation.csv")
_LONG_ROWS = 4
_LOSSES = {"log.csv": "training.csv", "validation.csv": "validation.csv"}
_COLUMNS = ("model", "cluster", "task", "split", "metric", "template", "score", "rows")


@dataclass(frozen=True)
class _Part:
    """Rows of one split of one task that models are asked."""

    task: EvaluationTask
    split: Split
    rows: EvaluationRows
    metrics: Sequence[str]
    """those that the task declares, and those that the protocol adds"""

    @property
    def key(self) -> tuple[str, Split]:
        return self.task.task, self.split


@dataclass(frozen=True)
class _Plan:
    """What an evaluation asks."""

    held_out: Sequence[EvaluationTask]
    seen: Sequence[EvaluationTask]
    parts: Sequence[_Part]
    """test rows of held-out tasks, then their dev rows, then dev rows of trained tasks"""
    not_evaluated: dict[str, str]

    def part(self, task: EvaluationTask, split: Split) -> _Part | None:
        return next((part for part in self.parts if part.key == (task.task, split)), None)


@dataclass(frozen=True)
class _ModelResult:
    """The answers of one model and how it was run."""

    run: ModelRun
    answered: dict[tuple[str, Split], Answered]


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
    not at all; an evaluation that was stopped continues with the task at which it stopped. Raises ArtifactError if an
    evaluation set is missing or does not belong to the mixture, or if there is nothing to evaluate, and
    ExecutionError if a model's scores are not finite.
    """
    require("`flanbuild evaluate`", "train", _MODULES)
    config = _with_template(config or EvaluateConfig(), Path(model))
    manifest, plan = _plan(mixture, evaluation, config)
    with locked(out), staged(out, _WRITTEN) as folder:
        store = AnswerStore(out.with_name(f".{out.name}.answers"))
        results, not_asked = _run_all(_models(str(model), config), plan, config, store, progress)
        write_batches(folder / "predictions.arrow", PREDICTIONS, _predictions(plan, results))
        write_record(folder / SCORES, _record(Path(model), manifest, plan, results, config, not_asked))
        write_record(folder / SAMPLES, SampleRecord.of(samples=_samples(plan, results)))
        _write_templates(folder / "templates.csv", plan, results)
        _copy_losses(Path(model), folder)
    shutil.rmtree(store.folder, ignore_errors=True)


def _plan(mixture: Path, evaluation: Path, config: EvaluateConfig) -> tuple[Manifest, _Plan]:
    manifest, declared_tasks = held_out_tasks(mixture, evaluation)
    chosen = seen_tasks(manifest, evaluation, config.seen_tasks, config.seen_examples)
    not_evaluated = {
        f"{task.cluster}/{task.task}": task.missing for task in [*declared_tasks, *chosen] if task.missing
    }
    for name, reason in not_evaluated.items():
        log(f"evaluate: {name} is not evaluated: {reason}")
    held_out = [task for task in declared_tasks if not task.missing]
    seen = [task for task in chosen if not task.missing]
    require_metrics(metric for task in [*held_out, *seen] for metric in task.metrics)
    asked: list[tuple[EvaluationTask, Split, int | None]] = [
        *((task, "test", config.examples) for task in held_out),
        *((task, "dev", config.dev_examples) for task in held_out),
        *((task, "dev", config.seen_examples) for task in seen),
    ]
    parts = []
    for task, split, examples in asked:
        if len(rows := task.rows(split, examples, config.templates)):
            metrics = reported(rows, task.metrics, PROTOCOLS[config.protocol].normalized)
            parts.append(_Part(task, split, rows, metrics))
    return manifest, _Plan(held_out, seen, parts, not_evaluated)


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
    """The settings with the template that the model was trained with, if they leave it open.

    The protocols of others have rules of their own.
    """
    if config.template != "auto":
        return config
    path = model / TRAINING
    trained = read_record(path, TrainingRecord).config.get("template") if path.is_file() else None
    return replace(config, template="chat" if trained == "chat" and config.protocol == "flan" else "none")


def _run_all(
    models: Mapping[Role, ModelRef],
    plan: _Plan,
    config: EvaluateConfig,
    store: AnswerStore,
    progress: Progress,
) -> tuple[dict[Role, _ModelResult], dict[Role, str]]:
    """The answers of every model, and the models that could not be read."""
    from flanbuild.evaluation.models import on_device

    results: dict[Role, _ModelResult] = {}
    not_asked: dict[Role, str] = {}
    for role, opened in _open(models, config, not_asked).items():
        with on_device(opened) as model:
            results[role] = _ask(role, models[role], model, plan, config, store, progress)
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


def _ask(
    role: Role,
    ref: ModelRef,
    model: "EvalModel",
    plan: _Plan,
    config: EvaluateConfig,
    store: AnswerStore,
    progress: Progress,
) -> _ModelResult:
    """The answers of one model to all parts; those that are stored are not asked for again."""
    from flanbuild.evaluation.ranking import method_for

    method = method_for(model, _longest(model, plan))
    run = _model_run(ref, model, method)
    answered: dict[tuple[str, Split], Answered] = {}
    reused = 0
    with progress(sum(len(part.rows) for part in plan.parts), f"evaluate {role}") as advance:
        for part in plan.parts:
            key = answers_key(run, _device(), part.task, part.split, part.rows, config)
            found = store.find(key)
            if found is None:
                found = answer(model, method, part.rows, part.task.task, advance)
                store.keep(key, found)
            else:
                advance(len(part.rows))
                reused += 1
            answered[part.key] = found
    if reused:
        log(f"evaluate {role}: continued: {reused} of {len(plan.parts)} parts were scored before")
    return _ModelResult(_with_counts(role, run, plan, answered), answered)


def _longest(model: "EvalModel", plan: _Plan) -> int:
    """Tokens of the longest request to rank options, among the few rows of each part that have the longest texts."""
    from flanbuild.evaluation.requests import ranking_requests

    longest = 0
    for part in plan.parts:
        rows, task = part.rows, part.task.task
        if not rows.ranked:
            continue
        sizes = [
            len(prompt) + sum(map(len, options))
            for prompt, options in zip(rows.prompt, rows.options, strict=True)
        ]
        first = sorted(range(len(sizes)), key=lambda index: -sizes[index])[:_LONG_ROWS]
        prompts, options = [rows.prompt[i] for i in first], [rows.options[i] for i in first]
        requests = ranking_requests(model, prompts, options, task=task).requests
        longest = max(longest, *(request.size for request in requests))
    return longest


def _with_counts(
    role: Role, run: ModelRun, plan: _Plan, answered: Mapping[tuple[str, Split], Answered]
) -> ModelRun:
    """Adds what tokenization did to each task's texts, and answers that are always the same."""
    found: dict[str, dict[str, int]] = {}
    constant: dict[str, dict[str, int]] = {}
    for part in plan.parts:
        own = answered[part.key]
        for name, count in own.counts.items():
            if count:
                counts = found.setdefault(name, {})
                counts[part.task.task] = counts.get(part.task.task, 0) + count
        scored = part.split == "test" or part.task in plan.seen
        if scored and (same := constants(part.rows, own.answers.predictions)):
            constant[part.task.task] = same
    for task, count in found.get("truncated_prompts", {}).items():
        log(f"evaluate {role}: {task}: {count} prompts were cut to fit the model")
    return run.model_copy(update={**found, "constant": constant})


def _model_run(ref: ModelRef, model: "EvalModel", method: "Method") -> ModelRun:
    from flanbuild.evaluation.ranking import method_name
    from flanbuild.model.loader import dtype_name

    hub = ref.kind == "hub"
    commit = getattr(model.model.config, "_commit_hash", None)
    return ModelRun(
        name=ref.name if hub else None,
        revision=(commit or ref.revision) if hub else None,
        weights=locate(ref, option="evaluate.model").weights(),
        architecture=str(model.model.config.model_type),
        parameters=sum(parameter.numel() for parameter in model.model.parameters()),
        tokenizer=tokenizer_digest(model.codec.tokenizer),
        dtype=dtype_name(model.model.dtype),
        attention=str(model.model.config._attn_implementation),
        ranking=method_name(method),
        truncated_prompts={},
        border_merges={},
    )


def _device() -> str:
    from flanbuild.model.loader import default_device, device_name

    return device_name(default_device())


def _predictions(plan: _Plan, results: Mapping[Role, _ModelResult]) -> Iterator[pa.Table]:
    for role, result in results.items():
        for part in plan.parts:
            answers, rows = result.answered[part.key].answers, part.rows
            constant = {
                "model": role,
                "cluster": part.task.cluster,
                "task": part.task.task,
                "split": part.split,
            }
            yield pa.table(
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


def _samples(plan: _Plan, results: Mapping[Role, _ModelResult]) -> dict[str, tuple[Sample, ...]]:
    """Task → prompts with the answers of each model, of the rows whose scores are reported."""
    parts = [
        part
        for part in plan.parts
        if part.split == "test" or part.task.task in {task.task for task in plan.seen}
    ]
    return {part.task.task: samples(part.task.task, _scored(part, results)) for part in parts}


def _record(
    model: Path,
    manifest: Manifest,
    plan: _Plan,
    results: Mapping[Role, _ModelResult],
    config: EvaluateConfig,
    not_asked: dict[Role, str],
) -> ScoreRecord:
    scored: dict[str, dict[Split, str]] = {}
    for part in plan.parts:
        scored.setdefault(part.task.task, {})[part.split] = part.task.digests[part.split]
    return ScoreRecord.of(
        mixture=MixtureRef(name=manifest.name, digest=manifest.digest),
        training=training_run(model),
        trained_on=trained_on(manifest),
        holdout=manifest.holdout,
        held_out=manifest.held_out,
        related_in_training=manifest.related_in_training,
        sources={task.task: task.source for task in [*plan.held_out, *plan.seen] if task.source},
        contamination=manifest.contamination,
        protocol=config.protocol,
        config=asdict(config),
        evaluation_sets=scored,
        models={role: result.run for role, result in results.items()},
        not_asked=not_asked,
        scores=_by_cluster(plan.held_out, "test", plan, results),
        seen=_by_cluster(plan.seen, "dev", plan, results),
        metrics={task.task: task.metrics for task in [*plan.held_out, *plan.seen]},
        not_evaluated=plan.not_evaluated,
        environment=Environment(device=_device(), versions=model_versions()),
    )


def _by_cluster(
    tasks: Sequence[EvaluationTask], split: Split, plan: _Plan, results: Mapping[Role, _ModelResult]
) -> dict[str, dict[str, dict[str, MetricScores]]]:
    """Cluster → task → metric → scores."""
    scores: dict[str, dict[str, dict[str, MetricScores]]] = {}
    for task in tasks:
        part = plan.part(task, split)
        assert part is not None, "a task without rows is not among those that are scored"
        dev = plan.part(task, "dev") if split == "test" else None
        # The most common answer comes from dev rows that are not scored themselves.
        known = task.rows("dev") if split == "test" else task.rows("dev").without(part.rows.row)
        scored, on_dev = _scored(part, results), _scored(dev, results) if dev else None
        metrics = scores.setdefault(task.cluster, {}).setdefault(task.task, {})
        for metric in part.metrics:
            own = metric in task.metrics
            found = metric_scores(task.task, metric, scored, on_dev, known if own else None)
            assert task.source is not None, "a task with rows has an evaluation set"
            paper = published(task.task, metric, task.source) if own and split == "test" else None
            metrics[metric] = found.model_copy(update={"paper": paper})
    return scores


def _scored(part: _Part, results: Mapping[Role, _ModelResult]) -> ScoredRows:
    return ScoredRows(
        part.rows, {role: result.answered[part.key].answers for role, result in results.items()}
    )


def _write_templates(path: Path, plan: _Plan, results: Mapping[Role, _ModelResult]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for role, result in sorted(results.items()):
            for part in sorted(plan.parts, key=lambda part: part.key):
                task, answers = part.task, result.answered[part.key].answers
                for metric, scores in by_template(part.rows, answers, part.metrics).items():
                    for template, score in scores.items():
                        count = part.rows.template.count(template)
                        row = [role, task.cluster, task.task, part.split, metric, template]
                        writer.writerow([*row, rounded(score), count])


def _copy_losses(model: Path, folder: Path) -> None:
    for source, target in _LOSSES.items():
        if (model / source).is_file():
            shutil.copyfile(model / source, folder / target)
