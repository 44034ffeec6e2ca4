"""From a mixture folder to a trained model folder.

`config.json`, `model.safetensors` and the tokenizer's files as transformers reads them; `metrics.json` and
the losses in `log.csv` and `validation.csv`; `training.json` with what it was made from; `untuned/`, the
model before training, unless it has a name to be found by. The same mixture and config on the same machine
give the same bytes.
"""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from flanbuild.artifacts.files import staged, write_json
from flanbuild.errors import require
from flanbuild.model.tokenizer import leading, tokenizer_digest
from flanbuild.progress import Progress, log, silent
from flanbuild.training.config import SMALL, TrainConfig
from flanbuild.training.mixture import Mixture, open_mixture
from flanbuild.training.packing import PackedIndex, one_each, pack
from flanbuild.training.tokens import TokenizedExamples, Truncation, read_examples, tokenize

if TYPE_CHECKING:
    from flanbuild.training.batches import Batches
    from flanbuild.training.loop import TrainResult

_FORMAT = 1
_MODULES = ("accelerate", "safetensors", "tokenizers", "torch", "transformers")


def train(
    mixture: Path, out: Path, config: TrainConfig, *, work: Path | None = None, progress: Progress = silent
) -> None:
    """Trains on `mixture` and writes the folder `out`, whole or not at all.

    `work` (`.work/<name>` beside `out`) keeps the tokens for the next run and, until this one ends, the last
    checkpoint: called again with the same mixture and config, it goes on from there to the same end.
    """
    require("`flanbuild train`", "train", _MODULES)
    from flanbuild.training import loop, models
    from flanbuild.training.checkpoints import Checkpoints

    work = work or out.parent / ".work" / out.name
    accelerator = loop.accelerator_for(config)
    with accelerator.main_process_first():  # one tokenises, the others read
        rows = open_mixture(mixture)
        tokenizer = models.load_tokenizer(config, rows)
        model = models.untuned_model(config, tokenizer)
        models.set_up(model, config, accelerator.device)
        learnt, checked = (
            _batches(rows, split, tokenizer, model, config, work, progress)
            for split in ("train", "validation")
        )
    made_from = _made_from(rows, tokenizer, config)
    checkpoints = Checkpoints(work / "checkpoint", _digest(made_from))
    if accelerator.is_main_process:
        _tell(learnt, rows)
    fitted = loop.fit(accelerator, model, learnt, checked, config, checkpoints, progress)
    if accelerator.is_main_process:
        with staged(out) as folder:
            _write(folder, fitted, tokenizer, made_from, _metrics(learnt, rows, fitted, config), config)
        checkpoints.clear()
    accelerator.wait_for_everyone()


def _batches(
    mixture: Mixture,
    split: str,
    tokenizer: Any,
    model: Any,
    config: TrainConfig,
    work: Path,
    progress: Progress,
) -> "Batches":
    from flanbuild.training import batches, models

    apart = model.config.is_encoder_decoder
    cut = Truncation(config.seq_length, config.prompt_length, config.completion_length, apart)
    rows, tokens = _enough(mixture, split, config)
    folder = tokenize(
        mixture, split, tokenizer, work / "tokens", cut, rows=rows, tokens=tokens, progress=progress
    )
    examples = read_examples(folder, cut, leads=bool(leading(tokenizer)))
    pad = models.pad_token(tokenizer)
    if apart:
        collate = batches.paired(pad)
    else:
        collate = batches.packed(config.seq_length, pad) if config.packing else batches.padded(pad)
    sequences = pack(examples.lengths, config.seq_length) if config.packing else one_each(len(examples))
    return batches.Batches(examples, sequences, collate, config.seed)


def _enough(mixture: Mixture, split: str, config: TrainConfig) -> tuple[int, int | None]:
    """How many rows, and of them how many tokens, all steps together can take up."""
    rows, sequences = mixture.rows(split), config.steps * config.batch
    if split == "validation":
        return min(rows, config.validation_examples), None
    return (rows, sequences * config.seq_length) if config.packing else (min(rows, sequences), None)


def _made_from(mixture: Mixture, tokenizer: Any, config: TrainConfig) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "config": config.numbers(),
        "mixture": {"name": mixture.manifest["mixture"]["name"], "digest": mixture.digest},
        "holdout": mixture.manifest["holdout"],
        "tokenizer": tokenizer_digest(tokenizer),
        "untuned": {"folder": "untuned"}
        if config.model == SMALL
        else {"name": config.model, "revision": config.revision},
    }


def _digest(made_from: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _metrics(
    learnt: "Batches", mixture: Mixture, fitted: "TrainResult", config: TrainConfig
) -> dict[str, Any]:
    return {
        "loss": round(fmean(row["loss"] for row in fitted.log.steps[-config.log_every :]), 6),
        "validation_loss": round(fitted.log.validation[-1]["loss"], 6),
        "data": {**learnt.examples.report(), **_packing(learnt.examples, learnt.sequences, config)},
        "trained": _trained(learnt, mixture, config),
    }


def _packing(examples: TokenizedExamples, sequences: PackedIndex, config: TrainConfig) -> dict[str, float]:
    """How full the sequences are: of `seq_length` when packed, of themselves when not."""
    room = len(sequences) * config.seq_length if config.packing else int(examples.lengths.sum())
    return {"sequences": len(sequences), "packing_efficiency": round(float(examples.lengths.sum()) / room, 6)}


def _trained(learnt: "Batches", mixture: Mixture, config: TrainConfig) -> dict[str, int]:
    """What the steps went through; an example counts each time it is seen, `not_reached` never was."""
    seen = np.concatenate(learnt.groups(0, config.steps * config.batch))
    examples = learnt.examples
    return {
        "steps": config.steps,
        "examples": len(seen),
        "tokens": int(examples.lengths[seen].sum()),
        "completion_tokens": int(examples.kept_completion[seen].sum()),
        "examples_not_reached": mixture.rows("train") - len(np.unique(seen)),
    }


def _tell(learnt: "Batches", mixture: Mixture) -> None:
    data = learnt.examples.report()
    of = f"{data['examples']} of {mixture.rows('train')} examples"
    log(f"train: {of}, {data['tokens']} tokens, {len(learnt.sequences)} sequences")
    for side in ("prompt", "completion"):
        if data[f"{side}s_cut"]:
            log(f"train: cut {data[f'{side}_tokens_cut']} tokens from {data[f'{side}s_cut']} {side}s")


def _write(
    folder: Path,
    fitted: "TrainResult",
    tokenizer: Any,
    made_from: dict[str, Any],
    metrics: dict[str, Any],
    config: TrainConfig,
) -> None:
    from flanbuild.training import models

    fitted.model.save_pretrained(folder, state_dict=fitted.weights)
    tokenizer.save_pretrained(folder)
    if config.model == SMALL:
        models.untuned_model(config, tokenizer).save_pretrained(folder / "untuned")
        tokenizer.save_pretrained(folder / "untuned")
    _write_csv(folder / "log.csv", ("step", "loss", "learning_rate"), fitted.log.steps)
    _write_csv(folder / "validation.csv", ("step", "loss"), fitted.log.validation)
    write_json(folder / "training.json", made_from)
    write_json(folder / "metrics.json", metrics)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[dict[str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
