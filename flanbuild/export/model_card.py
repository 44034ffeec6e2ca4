"""The card of a trained model: its base, the mixture and its datasets with licenses, training and evaluation in figures."""

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from flanbuild.artifacts.records import Manifest
from flanbuild.evaluation.record import MetricScores, ScoreRecord
from flanbuild.export.hub import languages
from flanbuild.export.references import arxiv_tags, dataset_pages, reference_lines
from flanbuild.mix.card import table_row
from flanbuild.model.record import ModelRef, TrainingRecord

_SETTINGS = (
    "steps",
    "batch",
    "seq_length",
    "optimizer",
    "learning_rate",
    "schedule",
    "lora_rank",
    "template",
    "seed",
)


def model_card(
    training: TrainingRecord,
    manifest: Manifest,
    metrics: Mapping[str, Any],
    scores: ScoreRecord | None,
    *,
    is_adapter: bool,
) -> str:
    """The card's text, `README.md` of a model repository. `metrics` is `metrics.json` of the model folder."""
    held_out = ", ".join(manifest.holdout) or "nothing"
    pages = dataset_pages(manifest)
    lines = [
        f"# {_base(training.base)}, tuned on {manifest.name} with {held_out} held out",
        "",
        *_data(training, manifest),
        *_training(training, metrics),
        *(_evaluation(scores) if scores else ()),
        *reference_lines(pages),
        "",
        "`flanbuild verify FOLDER` checks every file of this repository, and `flanbuild rebuild manifest.json` builds the",
        "mixture again.",
    ]
    return "\n".join(
        [*_header(training, manifest, arxiv_tags(pages.values()), is_adapter=is_adapter), *lines, ""]
    )


def _header(
    training: TrainingRecord, manifest: Manifest, papers: Sequence[str], *, is_adapter: bool
) -> list[str]:
    """The keys of the hub's model card. The license of the base model is not known, so the card states none."""
    tasks = [task for task in manifest.tasks.values() if task.given]
    on_hub = sorted({task.source.repo for task in tasks if task.source.kind in ("hub", "mirror")})
    keys: dict[str, Any] = {
        "library_name": "peft" if is_adapter else "transformers",
        "pipeline_tag": "text-generation",
        "language": languages(tasks),
        "tags": ["instruction-tuning", "flanbuild", *papers],
    }
    if training.base.kind == "hub":
        keys["base_model"] = training.base.name
        keys["base_model_relation"] = "adapter" if is_adapter else "finetune"
    if on_hub:
        keys["datasets"] = on_hub
    stream = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(keys, stream)
    return ["---", *stream.getvalue().splitlines(), "---", ""]


def _base(base: ModelRef) -> str:
    if base.kind == "hub":
        return f"{base.name} at {base.revision[:12]}" if base.revision else base.name
    return "A small model from random weights" if base.digest is None else f"A local model, {base.name}"


def _data(training: TrainingRecord, manifest: Manifest) -> Iterator[str]:
    yield (
        f"Trained on the prompts and completions of the mixture {manifest.name}, digest `{manifest.digest}`: "
        f"{manifest.rows['train']:,} training examples. Base model: {_base(training.base)}"
        + (f", digest `{training.base.digest}`." if training.base.digest else ".")
    )
    if manifest.held_out:
        yield ""
        yield f"Not trained on: {', '.join(sorted(manifest.held_out))}."
    yield from ("", "## Datasets and licenses", "")
    yield "The terms of the base model and of each dataset apply. Licenses are those that the task files state."
    yield from ("", "| task | dataset | commit | license | examples |", "|---|---|---|---|--:|")
    for name, task in manifest.tasks.items():
        if task.given:
            source = task.source
            yield table_row(name, source.repo, source.commit[:12], source.license, f"{task.given:,}")
    yield from ("", "| license | tasks | examples |", "|---|--:|--:|")
    for name, count in manifest.licenses.items():
        yield table_row(name, f"{len(count.tasks)}", f"{count.given:,}")


def _training(training: TrainingRecord, metrics: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Training", "", "| | |", "|---|--:|")
    for name in _SETTINGS:
        if training.config.get(name) is not None:
            yield table_row(name.replace("_", " "), str(training.config[name]))
    trained = metrics["trained"]
    yield table_row("examples used", f"{trained['examples']:,}")
    yield table_row("tokens", f"{trained['tokens']:,}")
    yield table_row("tokens with loss", f"{trained['completion_tokens']:,}")
    yield table_row("truncated prompts", f"{training.data.truncated_prompts:,}")
    yield table_row("truncated completions", f"{training.data.truncated_completions:,}")
    yield table_row("loss", str(metrics["loss"]))
    yield table_row("validation loss", str(metrics["validation_loss"]))
    yield table_row("computation", f"{training.dtype} on {training.environment.device}")
    versions = training.environment.versions
    yield table_row("versions", ", ".join(f"{name} {versions[name]}" for name in sorted(versions)))


def _evaluation(scores: ScoreRecord) -> Iterator[str]:
    """The main metric of each held-out task, as the mean over its templates."""
    yield from ("", "## Evaluation", "")
    yield f"Held-out tasks by protocol `{scores.protocol}`, test rows, means over templates (standard deviation)."
    yield ""
    yield "| cluster | task | metric | rows | templates | this model | before training | majority | random |"
    yield "|---|---|---|--:|--:|--:|--:|--:|--:|"
    for cluster, tasks in scores.scores.items():
        for task, by_metric in tasks.items():
            metric = scores.metrics[task][0]
            yield table_row(cluster, task, metric, *_figures(by_metric[metric]))
    for name, reason in scores.not_evaluated.items():
        yield from ("", f"{name} is not evaluated: {reason}.")


def _figures(of: MetricScores) -> Iterator[str]:
    yield from (f"{of.rows:,}", str(of.tuned.templates), f"{of.tuned.mean:.1f} ({of.tuned.sd:.1f})")
    for value in (of.untuned.mean if of.untuned else None, of.majority, of.random):
        yield "" if value is None else f"{value:.1f}"
