"""From a mixture folder to a trained model folder.

The folder holds `config.json`, `model.safetensors` and the tokenizer's files as transformers reads them;
`training.json` (TrainingRecord); `metrics.json`; the losses in `log.csv` and `validation.csv`; and for a small model
`untuned/`, the model before training. The same mixture and config on the same machine give the same bytes.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from flanbuild.artifacts.files import locked, staged, write_json
from flanbuild.artifacts.records import MANIFEST, TRAINING, write_record
from flanbuild.errors import ArtifactError, require
from flanbuild.model.chat import log_unused_template
from flanbuild.model.codec import Codec, Truncation
from flanbuild.model.files import locate, model_digest
from flanbuild.model.record import (
    MODEL_FILES,
    UNTUNED,
    Environment,
    MixtureRef,
    ModelRef,
    TokenCounts,
    TrainedCounts,
    TrainingRecord,
    model_versions,
)
from flanbuild.model.settings import SMALL
from flanbuild.model.tokenizer import tokenizer_digest
from flanbuild.progress import Progress, log, silent
from flanbuild.read import Examples, load
from flanbuild.training.base import base_ref
from flanbuild.training.config import TrainConfig
from flanbuild.training.packing import PackedIndex, one_each, pack
from flanbuild.training.tokens import TokenizedExamples, tokenize

if TYPE_CHECKING:
    from flanbuild.training.batches import Batches
    from flanbuild.training.loop import TrainResult

_WRITTEN = (
    TRAINING,
    *(f"{folder}{name}" for folder in ("", f"{UNTUNED}/") for name in MODEL_FILES),
)

_MODULES = ("accelerate", "safetensors", "tokenizers", "torch", "transformers")


def train(
    mixture: Path, out: Path, config: TrainConfig, *, work: Path | None = None, progress: Progress = silent
) -> None:
    """Trains on `mixture` and writes the folder `out`, whole or not at all.

    `work` (`.work/<name>` beside `out`) keeps the tokens for the next run and, until this run ends, its last
    checkpoint: called again with the same mixture and config, `train` continues there and ends with the same result.
    A checkpoint of other settings raises DeclarationError and is kept. Raises ArtifactError if the mixture is damaged
    or has no validation rows.
    """
    require("`flanbuild train`", "train", _MODULES)
    from flanbuild.training import loop, models
    from flanbuild.training.checkpoints import Checkpoints

    work = work or out.parent / ".work" / out.name
    train_rows, validation_rows = (_rows(mixture, split) for split in ("train", "validation"))
    accelerator = loop.accelerator_for(config, work)
    tokenizer = models.tokenizer_for(config, train_rows)
    dtype = "bfloat16" if accelerator.mixed_precision == "bf16" else "float32"
    base = _base(base_ref(config), out)
    identity = _identity(train_rows, tokenizer, config, dtype) | {"model digest": base.digest}
    checkpoints = Checkpoints(work / "checkpoint", identity)
    checkpoints.check()
    model = models.starting_model(config, tokenizer)
    commit = getattr(model.config, "_commit_hash", None)
    model = models.set_up(model, config, accelerator.device)
    codec = Codec(tokenizer, bool(model.config.is_encoder_decoder), config.template)
    train_batches, validation_batches = (
        _batches(rows, codec, config, work, progress) for rows in (train_rows, validation_rows)
    )
    if accelerator.is_main_process:
        log_unused_template("train", config.model, tokenizer, config.template)
        _log_counts(train_batches, train_rows)
        _log_settings(model, config, accelerator, train_batches.examples)
    result = loop.fit(accelerator, model, train_batches, validation_batches, config, checkpoints, progress)
    if accelerator.is_main_process:
        record = TrainingRecord.of(
            mixture=MixtureRef(name=train_rows.manifest.name, digest=train_rows.digest),
            holdout=train_rows.manifest.holdout,
            config=config.numbers(),
            base=base.model_copy(update={"revision": commit or base.revision})
            if base.kind == "hub"
            else base,
            tokenizer=tokenizer_digest(tokenizer),
            dtype=dtype,
            attention=str(result.model.config._attn_implementation),
            data=_counts(train_batches.examples, train_batches.sequences, config),
            environment=_environment(accelerator),
        )
        metrics = _metrics(train_batches, train_rows, result, config)
        _write(out, result, tokenizer, config, record, metrics)
        checkpoints.clear()
    accelerator.wait_for_everyone()


def _rows(mixture: Path, split: str) -> Examples:
    """Prompts and completions of a split, compared with the manifest byte by byte."""
    examples = load(mixture, split, ("prompt", "completion"))
    if not len(examples):
        raise ArtifactError(
            f"{mixture / MANIFEST}: shards.{split}: no rows; training needs train rows and validation rows."
        )
    return examples.verify()


def _batches(rows: Examples, codec: Codec, config: TrainConfig, work: Path, progress: Progress) -> "Batches":
    from flanbuild.training import batches

    truncation = Truncation(
        config.seq_length, config.prompt_length, config.completion_length, codec.encoder_decoder
    )
    count, tokens = _needed(rows, config)
    examples = tokenize(
        rows, codec, work / "tokens", truncation, rows=count, tokens=tokens, progress=progress
    )
    if codec.encoder_decoder:
        collate = batches.paired(codec.pad)
    else:
        collate = (
            batches.packed(config.seq_length, codec.pad) if config.packing else batches.padded(codec.pad)
        )
    sequences = pack(examples.lengths, config.seq_length) if config.packing else one_each(len(examples))
    return batches.Batches(examples, sequences, collate, config.seed)


def _needed(rows: Examples, config: TrainConfig) -> tuple[int, int | None]:
    """The most rows, and the most tokens of them, that all steps together can use."""
    count, sequences = len(rows), config.steps * config.batch
    if rows.split == "validation":
        return min(count, config.validation_examples), None
    return (count, sequences * config.seq_length) if config.packing else (min(count, sequences), None)


def _identity(rows: Examples, tokenizer: Any, config: TrainConfig, dtype: str) -> dict[str, Any]:
    """What decides the result of a run. The number of processes does not."""
    return {
        **config.numbers(),
        "mixture digest": rows.digest,
        "tokenizer digest": tokenizer_digest(tokenizer),
        "computation dtype": dtype,
    }


def _base(ref: ModelRef, out: Path) -> ModelRef:
    """The model before training as `training.json` names it: with its digest and the tokenizer that training used.

    A relative path becomes relative to the model folder, so that evaluation finds it from any working directory.
    """
    if ref.name == SMALL:
        return ModelRef(kind="folder", name=UNTUNED)
    own = ref.model_copy(update={"tokenizer": ".", "tokenizer_revision": None})
    if ref.kind == "hub":
        return own
    name = ref.name if Path(ref.name).is_absolute() else os.path.relpath(ref.name, out)
    return own.model_copy(update={"name": name, "digest": model_digest(ref, option="train.model")})


def _environment(accelerator: Any) -> Environment:
    from flanbuild.model.loader import device_name

    return Environment(
        device=device_name(accelerator.device), processes=accelerator.num_processes, versions=model_versions()
    )


def _counts(examples: TokenizedExamples, sequences: PackedIndex, config: TrainConfig) -> TokenCounts:
    """Packing efficiency is relative to `seq_length` when packed, otherwise to the sequences' own lengths."""
    tokens = int(examples.lengths.sum())
    room = len(sequences) * config.seq_length if config.packing else tokens
    return TokenCounts(
        **examples.report(), sequences=len(sequences), packing_efficiency=round(tokens / room, 6)
    )


def _metrics(
    batches: "Batches", rows: Examples, result: "TrainResult", config: TrainConfig
) -> dict[str, Any]:
    """`metrics.json`: the final losses, the examples as tokens, and how much of them the steps used."""
    return {
        "loss": round(fmean(row["loss"] for row in result.log.steps[-config.log_every :]), 6),
        "validation_loss": round(result.log.validation[-1]["loss"], 6),
        "data": _counts(batches.examples, batches.sequences, config).model_dump(),
        "trained": _trained(batches, rows, config).model_dump(),
    }


def _trained(batches: "Batches", rows: Examples, config: TrainConfig) -> TrainedCounts:
    used = np.concatenate(batches.groups(0, config.steps * config.batch))
    examples = batches.examples
    return TrainedCounts(
        steps=config.steps,
        examples=len(used),
        tokens=int(examples.lengths[used].sum()),
        completion_tokens=int(examples.kept_completion[used].sum()),
        examples_not_reached=len(rows) - len(np.unique(used)),
    )


def _log_counts(batches: "Batches", rows: Examples) -> None:
    counts = batches.examples.report()
    log(
        f"train: {counts['examples']} of {len(rows)} examples, {counts['tokens']} tokens,"
        f" {len(batches.sequences)} sequences"
    )
    for side in ("prompt", "completion"):
        if counts[f"truncated_{side}s"]:
            log(
                f"train: truncated {counts[f'truncated_{side}s']} {side}s"
                f" by {counts[f'truncated_{side}_tokens']} tokens"
            )
    if counts["border_merges"]:
        log(
            f"train: {counts['border_merges']} examples would have a token over the border of prompt and"
            " completion if tokenized as one text"
        )


def _log_settings(model: Any, config: TrainConfig, accelerator: Any, examples: TokenizedExamples) -> None:
    """What a user should know before the first step: the memory needed, and a peak that is never reached."""
    from flanbuild.training.memory import log_estimate

    share = float(examples.kept_completion.sum() / examples.lengths.sum())
    sequences = config.batch // (accelerator.num_processes * config.gradient_accumulation)
    bf16 = accelerator.mixed_precision == "bf16"
    log_estimate(model, config, sequences, accelerator.device, bf16=bf16, kept=share)
    if config.warmup >= config.steps:
        log(
            f"train: train.warmup of {config.warmup} steps is not shorter than the run of {config.steps}, so the learning"
            " rate never reaches its peak"
        )


def _write(
    out: Path,
    result: "TrainResult",
    tokenizer: Any,
    config: TrainConfig,
    record: TrainingRecord,
    metrics: dict[str, Any],
) -> None:
    """Writes the model folder, whole or not at all."""
    from flanbuild.training import models
    from flanbuild.training.adapters import save_adapted

    with locked(out), staged(out, _WRITTEN) as folder:
        if config.lora_rank:
            save_adapted(result.model, result.weights, folder, record.base.name, merge=config.lora_merge)
        else:
            result.model.save_pretrained(folder, state_dict=result.weights)
        tokenizer.save_pretrained(folder)
        if config.model == SMALL:
            models.starting_model(config, tokenizer).save_pretrained(folder / UNTUNED)
            tokenizer.save_pretrained(folder / UNTUNED)
        weights = locate(ModelRef.of(str(folder)), option="train").weights()
        write_record(folder / TRAINING, record.with_changes(weights=weights))
        write_json(folder / "metrics.json", metrics)
        _write_csv(folder / "log.csv", ("step", "loss", "learning_rate"), result.log.steps)
        _write_csv(folder / "validation.csv", ("step", "loss"), result.log.validation)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[dict[str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
