"""What identifies the model that training starts from, for tools that decide whether to train again."""

from pathlib import Path

from flanbuild.artifacts.files import sha256_of
from flanbuild.errors import DeclarationError
from flanbuild.model.files import model_digest
from flanbuild.model.record import ModelRef
from flanbuild.model.settings import SMALL
from flanbuild.training.config import TRAINED, TrainConfig


def base_ref(config: TrainConfig) -> ModelRef:
    """The model that training starts from, as given. A small model has no name before it is saved."""
    tokenizer = None if config.tokenizer == TRAINED else config.tokenizer
    return ModelRef.of(config.model, config.revision, tokenizer, config.tokenizer_revision)


def base_identity(config: TrainConfig) -> dict[str, str]:
    """Digests of local files and commits of hub repositories, for the model and for a tokenizer of another place.

    A small model is decided by the settings and the mixture, so it has none. Raises DeclarationError if a model cannot
    be found.
    """
    ref, identity = base_ref(config), {}
    if ref.name != SMALL:
        identity["model"] = model_digest(ref, option="train.model") or _commit(
            ref.name, ref.revision, "config.json", "train.model"
        )
    if ref.tokenizer is not None:
        folder = Path(ref.tokenizer)
        if folder.exists():
            files = sorted(folder.iterdir()) if folder.is_dir() else [folder]
            identity |= {f"tokenizer/{path.name}": sha256_of(path) for path in files if _read(path)}
        else:
            identity["tokenizer"] = _commit(
                ref.tokenizer, ref.tokenizer_revision, "tokenizer_config.json", "train.tokenizer"
            )
    return identity


def _read(path: Path) -> bool:
    """Whether a file of a folder may be part of a tokenizer; weights beside it are none."""
    return path.is_file() and path.suffix != ".safetensors"


def _commit(name: str, revision: str | None, file: str, option: str) -> str:
    from transformers.utils.hub import cached_file, extract_commit_hash

    try:
        path = cached_file(name, file, revision=revision)
    except (OSError, ValueError) as error:
        raise DeclarationError(
            f"{option}: '{name}' cannot be read from the hub: {' '.join(str(error).split())}"
        ) from error
    return str(extract_commit_hash(path, None))
