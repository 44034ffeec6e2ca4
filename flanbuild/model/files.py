"""What a model reference points at: a transformers folder, a GGUF file, an adapter, or a name on the hub.

    found = locate(ModelRef.of("models/base.gguf"), option="--model")
    found.format, found.folder, found.gguf

It reads no weights and loads no model library. What is no model raises DeclarationError with the cure in one sentence.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.artifacts.records import TRAINING, read_record
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.model.record import ModelRef, TrainingRecord

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

Format = Literal["transformers", "gguf", "adapter", "hub"]


@dataclass(frozen=True)
class ModelFiles:
    """Where the files of a model lie. `folder` is a path, or a name on the hub."""

    format: Format
    folder: str
    gguf: str | None = None
    """the name of the GGUF file inside `folder`"""

    def weights(self) -> dict[str, str]:
        """The sha256 of each local file that decides the weights, by file name; empty for a hub model."""
        patterns = {
            "transformers": ("*.safetensors",),
            "gguf": (self.gguf or "",),
            "adapter": (ADAPTER_WEIGHTS,),
            "hub": (),
        }[self.format]
        paths = sorted(path for pattern in patterns for path in Path(self.folder).glob(pattern))
        return {path.name: sha256_of(path) for path in paths}


def locate(ref: ModelRef, *, option: str) -> ModelFiles:
    """Recognizes the files of a model. `option` names in messages where the model was asked for.

    Raises DeclarationError if a path holds no model that flanbuild reads.
    """
    path = Path(ref.name)
    if path.suffix == ".gguf" and path.is_file():
        return ModelFiles("gguf", str(path.parent), path.name)
    if path.is_file():
        raise DeclarationError(
            f"{option}: '{ref.name}' is a file; give the model's folder, or a file whose name ends in .gguf."
        )
    if not path.is_dir():
        if ref.kind == "folder" or _looks_like_a_path(ref.name):
            raise DeclarationError(f"{option}: '{ref.name}' cannot be read: no such folder.")
        return ModelFiles("hub", ref.name)
    if (path / "config.json").is_file():
        _check_safetensors(ref, path, option)
        return ModelFiles("transformers", str(path))
    if (path / ADAPTER_CONFIG).is_file():
        return _adapter(ref, path, option)
    if any(path.glob("*.gguf")):
        return _gguf(ref, path, option)
    raise DeclarationError(f"{option}: '{ref.name}' is no model folder: it has no config.json.")


def check_tokenizer_path(name: str, option: str) -> None:
    """Raises DeclarationError if `name` is neither a folder, nor a GGUF file, nor possible as a name on the hub."""
    if not Path(name).exists() and _looks_like_a_path(name):
        raise DeclarationError(f"{option}: '{name}' cannot be read: no such folder.")


def adapter_base(folder: Path, option: str) -> ModelRef:
    """The base model that an adapter names. A relative path is taken from the adapter's folder first.

    Raises DeclarationError if it names none.
    """
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        name = config.get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        name = None
    if not isinstance(name, str) or not name:
        raise DeclarationError(
            f"{option}: '{folder}' is a PEFT adapter whose {ADAPTER_CONFIG} names no base_model_name_or_path, so it"
            " cannot be merged; write the base model's folder or hub name there."
        )
    revision = config.get("revision")
    beside = folder / name
    return ModelRef.of(str(beside) if beside.exists() else name, revision)


def model_digest(ref: ModelRef, *, option: str) -> str | None:
    """A digest of the local files that decide a model, its config and an adapter's base included; None for the hub.

    A hub model is identified by its commit.
    """
    found = locate(ref, option=option)
    if found.format == "hub":
        return None
    files = found.weights()
    for name in ("config.json", ADAPTER_CONFIG):
        if found.format != "gguf" and (path := Path(found.folder) / name).is_file():
            files[name] = sha256_of(path)
    if found.format == "adapter":
        base = adapter_base(Path(found.folder), option)
        files["base model"] = model_digest(base, option=option) or f"{base.name}@{base.revision}"
    return digest_of(files)


def check_digest(ref: ModelRef, *, option: str) -> None:
    """Raises DeclarationError if the model's files are not those that the reference was made from.

    The weights of a model that flanbuild trained must be those that it wrote, or ArtifactError is raised.
    """
    found = locate(ref, option=option)
    record = Path(found.folder) / TRAINING
    if found.format in ("transformers", "adapter") and record.is_file():
        recorded = read_record(record, TrainingRecord).weights
        if recorded and found.weights() != recorded:
            raise ArtifactError(
                f"{ref.name}: the weights are not those that {TRAINING} records; they were damaged or changed. Train"
                f" again, or delete {TRAINING} if the change is meant."
            )
    if ref.digest is not None and model_digest(ref, option=option) != ref.digest:
        raise DeclarationError(
            f"{option}: the files of '{ref.name}' have changed since the model was trained from them; restore them, or"
            " train again."
        )


def _adapter(ref: ModelRef, path: Path, option: str) -> ModelFiles:
    if not (path / ADAPTER_WEIGHTS).is_file():
        raise DeclarationError(
            f"{option}: '{ref.name}' is a PEFT adapter without {ADAPTER_WEIGHTS}; save it again with"
            " safe_serialization=True."
        )
    return ModelFiles("adapter", str(path))


def _gguf(ref: ModelRef, path: Path, option: str) -> ModelFiles:
    names = sorted(file.name for file in path.glob("*.gguf"))
    if len(names) > 1:
        raise DeclarationError(
            f"{option}: '{ref.name}' holds {len(names)} GGUF files; name one of them, such as"
            f" {path / names[0]}."
        )
    return ModelFiles("gguf", str(path), names[0])


def _check_safetensors(ref: ModelRef, path: Path, option: str) -> None:
    if not any(path.glob("*.safetensors")):
        others = sorted(file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in path.glob(pattern))
        hint = f", only {others[0]}; save it again with safe_serialization=True" if others else ""
        raise DeclarationError(f"{option}: '{ref.name}' has no *.safetensors file{hint}.")


def _looks_like_a_path(name: str) -> bool:
    """Whether a name that is no folder cannot be a name on the hub either."""
    return Path(name).is_absolute() or name.startswith(".") or name.count("/") > 1 or name.endswith(".gguf")
