"""A mixture small enough to learn in seconds: which sound an animal makes. Its shards are real files."""

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from flanbuild.artifacts.arrow import EVALUATION_SCHEMA, TRAIN_SCHEMA, write_batches, write_table
from flanbuild.artifacts.files import read_json, sha256_of, write_json
from flanbuild.model.tokenizer import train_tokenizer
from flanbuild.training.config import TrainConfig
from flanbuild.training.mixture import open_mixture

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


def evaluation_row(number: int, template: int, *, ranked: bool = True) -> dict[str, Any]:
    """The same as a row to be answered."""
    made = row(number, template) | {"cluster": "nli"}
    made.pop("repeat")
    made |= {"answer": made["completion"], "answers": [made["completion"]]}
    return made if ranked else made | {"options": []}


def write_mixture(
    folder: Path, train: Sequence[dict[str, Any]], validation: Sequence[dict[str, Any]]
) -> Path:
    """Two train shards and one of validation, with a manifest that holds nothing out."""
    folder.mkdir(parents=True)
    half = len(train) // 2
    listed = {
        "train": [
            _shard(folder, "train-00000-of-00002", train[:half]),
            _shard(folder, "train-00001-of-00002", train[half:]),
        ],
        "validation": [_shard(folder, "validation-00000-of-00001", validation)],
    }
    write_manifest(folder, listed, {})
    return folder


def tokenizer(mixture: Path, vocab_size: int = 400) -> Any:
    """A tokenizer of the mixture's own text."""
    texts = open_mixture(mixture).texts("train", 10_000)
    return train_tokenizer(chain.from_iterable(chain(*sides) for sides in texts), vocab_size)


def write_manifest(folder: Path, listed: dict[str, Any], held_out: dict[str, Any]) -> None:
    """The keys that the model side relies on."""
    manifest = {"format": 2, "mixture": {"name": "toy"}, "holdout": sorted(held_out), "held_out": held_out}
    write_json(folder / "manifest.json", manifest | {"tasks": {}, "shards": listed, "digest": "0123"})


def hold_out(
    mixture: Path, rendered: Path, tasks: dict[str, tuple[Sequence[str], Sequence[dict[str, Any]] | None]]
) -> None:
    """Adds held-out tasks, name → (metrics, rows or None), to a mixture, and writes their rows."""
    manifest = read_json(mixture / "manifest.json")
    entries = {name: _held_out(rendered, name, metrics, rows) for name, (metrics, rows) in tasks.items()}
    held_out = {"nli": {"rule": "asked for", "asked": True, "tasks": entries}}
    held_out["paraphrase"] = {"rule": "related to nli", "asked": False, "tasks": {}}
    write_manifest(mixture, manifest["shards"], held_out)


def _held_out(
    rendered: Path, name: str, metrics: Sequence[str], rows: Sequence[dict[str, Any]] | None
) -> dict[str, Any]:
    if rows is None:
        return {"metrics": list(metrics), "type": "classification", "evaluation": None}
    path = rendered / "nli" / name / "test.arrow"
    write_table(path, pa.Table.from_pylist(list(rows), schema=EVALUATION_SCHEMA))
    file = {"path": f"nli/{name}/test.arrow", "rows": len(rows), "sha256": sha256_of(path)}
    return {"metrics": list(metrics), "type": "classification", "evaluation": file}


def _shard(folder: Path, name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    path = folder / f"{name}.arrow"
    write_batches(path, TRAIN_SCHEMA, [pa.Table.from_pylist(list(rows), schema=TRAIN_SCHEMA)])
    return {"path": path.name, "rows": len(rows), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
