"""A mixture small enough to learn in seconds: which sound an animal makes. Its shards are real files."""

import json
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from shards import write_shards
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from flanbuild.artifacts.arrow import EVALUATION_SCHEMA, Compression, write_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import (
    MANIFEST,
    RECORD,
    EvaluationRecord,
    EvaluationSplit,
    HeldOutGroup,
    HeldOutTask,
    Manifest,
    MixtureTask,
    SourceRecord,
    read_record,
    write_record,
)
from flanbuild.model.tokenizer import train_tokenizer
from flanbuild.read import load
from flanbuild.training.config import TrainConfig

# Two threads cost more than they bring to tensors this small, above all where several tests run at once.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

SOUNDS = {"dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "lion": "roar"}
NAMES = ("Ann", "Bob", "Cy", "Dee", "Eve", "Flo", "Gus", "Hal")
TEMPLATES = ("{name} has a {animal}.\nWhat does it say?\n", "Sound of a {animal} that {name} met:\n")

TINY = TrainConfig(
    vocab_size=400,
    hidden_size=64,
    layers=2,
    heads=2,
    seq_length=128,
    completion_length=16,
    batch=8,
    steps=60,
    learning_rate=5e-3,
    log_every=20,
    validation_examples=20,
)


def row(number: int, template: int, task: str = "sounds") -> dict[str, Any]:
    """A row of a train shard; the number decides animal and name."""
    animal = list(SOUNDS)[number % len(SOUNDS)]
    return {
        "prompt": TEMPLATES[template].format(name=NAMES[number // len(SOUNDS) % len(NAMES)], animal=animal),
        "completion": SOUNDS[animal],
        "task": task,
        "dataset": task,
        "cluster": "misc",
        "template": template,
        "row": number,
        "repeat": 0,
        "options": list(SOUNDS.values()),
    }


SOURCE = SourceRecord(kind="sample", repo="toys/sounds", config="", commit="", license="mit", digest="a" * 64)
"""Where all toy rows come from."""


def evaluation_row(number: int, template: int, *, ranked: bool = True) -> dict[str, Any]:
    """The same as a row of an evaluation set."""
    values = row(number, template) | {"cluster": "nli"}
    values.pop("repeat")
    values |= {"answer": values["completion"], "answers": [values["completion"]]}
    return values if ranked else values | {"options": []}


def write_mixture(
    folder: Path,
    train: Sequence[dict[str, Any]],
    validation: Sequence[dict[str, Any]],
    compression: Compression = "none",
) -> Path:
    """A mixture named toy of these rows."""
    return write_shards(folder, train, validation, compression, name="toy")


def with_identity(manifest: Manifest, **changes: Any) -> Manifest:
    """The manifest with `changes`, its digest and its checksum filled in."""
    values = {name: getattr(manifest, name) for name in type(manifest).model_fields} | changes
    values = {name: value for name, value in values.items() if name not in ("format", "checksum", "digest")}
    return Manifest.of(**values, digest=Manifest.of(**values).identity())


def hold_out(
    mixture: Path,
    evaluation: Path,
    tasks: dict[str, tuple[Sequence[str], Sequence[dict[str, Any]] | None]],
    name: str = "nli",
) -> None:
    """Holds tasks, name -> (metrics, rows or None for a task without test split), out of a mixture; writes their sets."""
    for task, (metrics, rows) in tasks.items():
        if rows is not None:
            write_evaluation_set(evaluation / "nli" / task, task, metrics, rows)
    members = {
        task: held_out_task(task, metrics, has_test=rows is not None)
        for task, (metrics, rows) in tasks.items()
    }
    groups = {
        name: HeldOutGroup(rule="asked for", asked=True, tasks=members),
        "paraphrase": HeldOutGroup(rule=f"related to {name}", asked=False, tasks={}),
    }
    manifest = read_record(mixture / MANIFEST, Manifest)
    write_record(mixture / MANIFEST, with_identity(manifest, holdout=(name,), held_out=groups))


def held_out_task(task: str, metrics: Sequence[str], **changes: Any) -> HeldOutTask:
    """A held-out task of the cluster nli as a manifest lists it."""
    values = {"dataset": task, "cluster": "nli", "type": "classification", "metrics": tuple(metrics)}
    return HeldOutTask(**values | {"source_digest": SOURCE.digest} | changes)


def write_evaluation_set(
    folder: Path,
    task: str,
    metrics: Sequence[str],
    rows: Sequence[dict[str, Any]],
    source: SourceRecord = SOURCE,
    dev: Sequence[dict[str, Any]] = (),
) -> None:
    """An evaluation set with test rows, and dev rows if there are any, template after template."""
    splits = {"test": _evaluation_split(folder / "test.arrow", rows)}
    if dev:
        splits["dev"] = _evaluation_split(folder / "dev.arrow", dev)
    record = EvaluationRecord.of(
        task=task,
        dataset=task,
        cluster=folder.parent.name,
        type="classification",
        metrics=tuple(metrics),
        declaration="d" * 64,
        source=source,
        splits=splits,
        fingerprint="e" * 64,
        versions={},
    )
    write_record(folder / RECORD, record)


def _evaluation_split(path: Path, rows: Sequence[dict[str, Any]]) -> EvaluationSplit:
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows, key=lambda row: row["template"])
    table = pa.Table.from_pylist(ordered, schema=EVALUATION_SCHEMA)
    write_table(path, table)
    return EvaluationSplit(
        of=("validation",),
        rows=len({row["row"] for row in rows}),
        examples=len(rows),
        rows_digest=rows_digest(table),
        file_digest=xxh3_of(path),
    )


def train_on(mixture: Path, cluster: str, task: str) -> None:
    """Lists a task among those that a mixture is made of."""
    trained = MixtureTask(
        cluster=cluster,
        dataset=task,
        declaration="d" * 64,
        source=SOURCE,
        available=192,
        dropped={},
        to_other_splits=0,
        capped=0,
        duplicates=0,
        in_train={},
        contaminated=0,
        removed=0,
        rows=192,
        rate=192,
        given=192,
        repeats=1,
        missing=(),
        out="",
    )
    manifest = read_record(mixture / MANIFEST, Manifest)
    write_record(mixture / MANIFEST, with_identity(manifest, tasks={**manifest.tasks, task: trained}))


def tokenizer(mixture: Path, vocab_size: int = 400) -> Any:
    """A tokenizer of the mixture's own text."""
    return train_tokenizer(texts(mixture), vocab_size)


def texts(mixture: Path) -> list[str]:
    """Prompts and completions of a mixture's train split."""
    rows = load(mixture, columns=("prompt", "completion"))
    return list(chain.from_iterable((row["prompt"], row["completion"]) for row in rows))


def sentencepiece(
    model: str, dummy_prefix: str, lines: Sequence[str], vocab_size: int = 100
) -> PreTrainedTokenizerFast:
    """A tokenizer as Llama 2 and Mistral have it: a space before each text, byte fallback, `<s>` before a text.

    `model` is bpe or unigram; `dummy_prefix` is first or always (Metaspace), or legacy (a normalizer).
    """
    special = ["<unk>", "<s>", "</s>"]
    if model == "bpe":
        inner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False)
    else:
        inner = Tokenizer(models.Unigram())
        trainer = trainers.UnigramTrainer(
            vocab_size=vocab_size, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    if dummy_prefix == "legacy":
        inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=dummy_prefix, split=model == "unigram")
    inner.train_from_iterator([line.replace("\n", " ") for line in lines], trainer)
    inner = _with_bytes(inner)
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


def _with_bytes(inner: Tokenizer) -> Tokenizer:
    """The same model with a piece for each byte, which spells what no other piece does: newlines, for one."""
    value = json.loads(inner.to_str())
    vocabulary = value["model"]["vocab"]
    for piece in (f"<0x{byte:02X}>" for byte in range(256)):
        if isinstance(vocabulary, dict):
            vocabulary[piece] = len(vocabulary)
        else:
            vocabulary.append([piece, -20.0])
    value["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(value))
