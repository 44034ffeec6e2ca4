"""A trained model as a model repository: weights, tokenizer, model card, a statement of provenance, and the manifest of
the mixture that it was trained on.

    flanbuild publish models/nli hf://USER/NAME --scores reports/holdouts/nli
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flanbuild.artifacts.files import sha256_of, write_json
from flanbuild.artifacts.records import MANIFEST, SCORES, TRAINING, Manifest, read_record, write_record
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.evaluation.record import ScoreRecord
from flanbuild.export.destination import destination
from flanbuild.export.model_card import model_card
from flanbuild.export.provenance import STATEMENT, model_statement
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.signing import sign
from flanbuild.mix.card import CARD
from flanbuild.model.files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, check_digest
from flanbuild.model.record import MODEL_FILES, UNTUNED, ModelRef, TrainingRecord, model_versions

VIEW = "model"
_METRICS = "metrics.json"
_CURVES = ("log.csv", "validation.csv")


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """The model folder that is published, and what its card is made from."""

    model: Path
    mixture: Path
    """folder of the mixture that the model was trained on, or of its export"""
    scores: Path | None = None
    """folder that `flanbuild evaluate` wrote"""
    sign: Path | None = None
    """file of the private key that signs the statement of provenance"""


def publish_model(request: ModelRequest, out: str) -> ExportRecord:
    """Writes the repository to a folder, `hf://USER/NAME` or an fsspec URL, and returns its record.

    Weights are safetensors only, and must be those that training wrote. Paths of this machine become names. Raises
    ArtifactError if the weights, the mixture or the scores belong to another run, DeclarationError for an adapter of a
    model that is a local folder.
    """
    training = read_record(request.model / TRAINING, TrainingRecord)
    check_digest(ModelRef.of(str(request.model)), option="publish")
    _check_adapter(request.model, training)
    manifest = _manifest(request.mixture, training)
    scores = _scores(request.scores, training) if request.scores else None
    metrics = json.loads((request.model / _METRICS).read_text(encoding="utf-8"))
    with destination(out, "model") as folder:
        for source in _files(request.model, training):
            target = folder / source.relative_to(request.model)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
        published = _without_paths(training)
        write_record(folder / TRAINING, published)
        write_record(folder / MANIFEST, manifest)
        is_adapter = (folder / ADAPTER_CONFIG).is_file()
        card = model_card(published, manifest, metrics, scores, is_adapter=is_adapter)
        (folder / CARD).write_text(card, encoding="utf-8")
        write_json(folder / STATEMENT, model_statement(published, _digests(folder)))
        if request.sign:
            sign(folder, request.sign)
        record = ExportRecord.of(
            view=VIEW,
            mixture=training.mixture,
            holdout=training.holdout,
            splits={},
            settings={},
            tasks={},
            left_out={},
            notes={},
            files=_digests(folder),
            versions={"flanbuild": model_versions()["flanbuild"]},
        )
        write_record(folder / EXPORT, record)
    return record


def _files(model: Path, training: TrainingRecord) -> Iterator[Path]:
    """The files of the model, of its tokenizer and of its training, and of the small model that it started from."""
    names = [*MODEL_FILES, _METRICS, *_CURVES]
    if training.base.name == UNTUNED:
        names += [f"{UNTUNED}/{name}" for name in MODEL_FILES]
    for name in names:
        yield from sorted(path for path in model.glob(name) if path.name != CARD)


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def _manifest(mixture: Path, training: TrainingRecord) -> Manifest:
    """The manifest of the mixture that the model was trained on."""
    manifest = read_record(mixture / MANIFEST, Manifest)
    if manifest.digest != training.mixture.digest:
        raise ArtifactError(
            f"{mixture}: not the mixture that the model was trained on, {training.mixture.name} "
            f"{training.mixture.digest[:12]}; name its folder with --mixture."
        )
    return manifest


def _scores(folder: Path, training: TrainingRecord) -> ScoreRecord:
    """The scores of this model."""
    scores = read_record(folder / SCORES, ScoreRecord)
    tuned = scores.models.get("tuned")
    if tuned is None or tuned.weights != training.weights:
        raise ArtifactError(f"{folder / SCORES}: the scores are not those of this model's weights.")
    return scores


def _check_adapter(model: Path, training: TrainingRecord) -> None:
    """Raises DeclarationError for an adapter that nobody else could load."""
    if (
        (model / ADAPTER_WEIGHTS).is_file()
        and training.base.kind == "folder"
        and training.base.name != UNTUNED
    ):
        raise DeclarationError(
            f"{model}: an adapter of '{training.base.name}', a local folder that nobody else has; train from a model of the "
            "hub, or with --lora-merge."
        )


def _without_paths(training: TrainingRecord) -> TrainingRecord:
    """The record with names in place of paths of this machine."""
    config: dict[str, Any] = dict(training.config)
    for key in ("model", "tokenizer"):
        if config.get(key) and Path(config[key]).exists():
            config[key] = Path(config[key]).name
    base = training.base
    if base.kind == "folder":
        base = base.model_copy(update={"name": Path(base.name).name})
        if training.base.name != UNTUNED:
            config["model"] = base.name
    return training.with_changes(config=config, base=base)
