"""What a model was trained on and how, for whoever reads its scores."""

from pathlib import Path

from flanbuild.artifacts.files import read_json
from flanbuild.artifacts.records import TRAINING, Manifest, read_record
from flanbuild.evaluation.record import TrainedTask, TrainingRun
from flanbuild.model.record import TrainedCounts, TrainingRecord
from flanbuild.model.settings import SMALL

_METRICS = "metrics.json"
_NAMES = ("model", "revision", "tokenizer", "tokenizer_revision")
"""Settings that may be folders of this machine; the models of an evaluation are identified by digest or commit."""


def training_run(model: Path) -> TrainingRun | None:
    """How the model in a folder was trained; None if flanbuild did not train it.

    Raises ArtifactError if the folder's `training.json` or `metrics.json` is damaged.
    """
    if not (model / TRAINING).is_file():
        return None
    record = read_record(model / TRAINING, TrainingRecord)
    path = model / _METRICS
    used = TrainedCounts.model_validate(read_json(path)["trained"]) if path.is_file() else None
    return TrainingRun(
        base="random weights" if record.config.get("model") == SMALL else "model",
        config={name: value for name, value in record.config.items() if name not in _NAMES},
        used=used,
        dtype=record.dtype,
        environment=record.environment,
    )


def trained_on(manifest: Manifest) -> dict[str, TrainedTask]:
    """The tasks that give examples to a mixture."""
    return {
        name: TrainedTask(cluster=task.cluster, source=task.source, examples=task.given, repeats=task.repeats)
        for name, task in manifest.tasks.items()
        if task.given
    }
