"""The one way to read a model and its tokenizer, from a folder or from the hub.

    model = load_model(ModelRef.of("org/name"), option="--model", dtype=torch.float32)

Only safetensors are read and no code from a model repository runs. Every weight of the model must be in its files.
What cannot be read raises DeclarationError with the reason and the cure in one sentence.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar

from flanbuild.errors import DeclarationError
from flanbuild.model.record import ModelRef
from flanbuild.model.settings import Dtype

disable_progress_bar()  # type: ignore[no-untyped-call]  # flanbuild shows its own

_ERRORS = (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError)
_SHOWN = 4
"""Names of weights that a message lists."""


def default_device() -> torch.device:
    """The first GPU, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computation_dtype(dtype: Dtype) -> torch.dtype:
    """The type that a run computes in: `auto` is bfloat16 on a GPU that supports it, and float32 elsewhere."""
    if dtype == "auto":
        bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if bf16 else torch.float32
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32


def device_name(device: torch.device) -> str:
    """`cpu`, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


def max_positions(model: Any) -> int | None:
    """Tokens that the model has positions for, or None where it has no such limit."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(positions) if positions else None


def load_model(ref: ModelRef, *, option: str, dtype: torch.dtype) -> Any:
    """The model with all its weights, on the CPU. `option` names in messages where the model was asked for."""
    _check_folder(ref, option)
    where = {"revision": ref.revision, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(ref.name, **where)
        kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model, report = kind.from_pretrained(
            ref.name, dtype=dtype, use_safetensors=True, output_loading_info=True, **where
        )
    except _ERRORS as error:
        where_from = (
            "cannot be read" if ref.kind == "folder" else "is no folder and cannot be read from the hub"
        )
        raise DeclarationError(f"{option}: '{ref.name}' {where_from}: {_reason(error)}") from error
    _check_weights(ref, option, report)
    return model


def load_tokenizer(ref: ModelRef, *, option: str) -> Any:
    """The tokenizer that goes with the model. A model without tokenizer files raises DeclarationError."""
    name, revision = ref.name, ref.revision
    if ref.tokenizer is None or ref.tokenizer == ref.name:
        _check_folder(ref, option)
    else:
        name, revision = ref.tokenizer, None
        if not Path(name).is_dir() and _looks_like_a_path(name):
            raise DeclarationError(f"{option}: '{name}' cannot be read: no such folder.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
        present = _has_tokenizer_file(tokenizer, name, revision)
    except _ERRORS as error:
        raise DeclarationError(
            f"{option}: no tokenizer in '{name}'; name another one with --tokenizer. {_reason(error)}"
        ) from error
    if not present:  # transformers makes one up from the model's type
        raise DeclarationError(f"{option}: no tokenizer in '{name}'; name another one with --tokenizer.")
    return tokenizer


def _has_tokenizer_file(tokenizer: Any, name: str, revision: str | None) -> bool:
    files = {*tokenizer.vocab_files_names.values(), "tokenizer.json", "tokenizer.model", "tekken.json"}
    return any(_exists(name, file, revision) for file in sorted(files))


def _exists(name: str, file: str, revision: str | None) -> bool:
    if Path(name).is_dir():
        return (Path(name) / file).is_file()
    try:
        return cached_file(name, file, revision=revision) is not None
    except OSError:
        return False


def _check_folder(ref: ModelRef, option: str) -> None:
    """Recognizes what is often given in place of a model folder."""
    path = Path(ref.name)
    if path.suffix == ".gguf" or (path.is_dir() and _lacks_config(path) and any(path.glob("*.gguf"))):
        raise DeclarationError(
            f"{option}: '{ref.name}' holds GGUF weights, which flanbuild does not read; convert them to safetensors"
            " or give the model they were made from."
        )
    if path.is_file():
        raise DeclarationError(f"{option}: '{ref.name}' is a file; give the model's folder.")
    if not path.is_dir():
        if ref.kind == "folder" or _looks_like_a_path(ref.name):
            raise DeclarationError(f"{option}: '{ref.name}' cannot be read: no such folder.")
        return
    if not _lacks_config(path):
        _check_safetensors(ref, path, option)
    elif (path / "adapter_config.json").is_file():
        raise DeclarationError(
            f"{option}: '{ref.name}' is a PEFT adapter, not a whole model; merge it into its base model first"
            " (merge_and_unload, then save_pretrained)."
        )
    else:
        raise DeclarationError(f"{option}: '{ref.name}' is no model folder: it has no config.json.")


def _looks_like_a_path(name: str) -> bool:
    """Whether a name that is no folder cannot be a name on the hub either."""
    return Path(name).is_absolute() or name.startswith(".") or name.count("/") > 1


def _check_safetensors(ref: ModelRef, path: Path, option: str) -> None:
    if not any(path.glob("*.safetensors")):
        others = sorted(file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in path.glob(pattern))
        hint = f", only {others[0]}; save it again with safe_serialization=True" if others else ""
        raise DeclarationError(f"{option}: '{ref.name}' has no *.safetensors file{hint}.")


def _check_weights(ref: ModelRef, option: str, report: dict[str, Any]) -> None:
    kinds = {
        "missing_keys": "missing",
        "unexpected_keys": "of no part of the model",
        "mismatched_keys": "of another shape",
    }
    faults = [f"{text}: {_listed(report[key])}" for key, text in kinds.items() if report[key]]
    if faults:
        raise DeclarationError(
            f"{option}: the files of '{ref.name}' do not hold the weights of its config.json ({'; '.join(faults)}); save"
            " the whole model, head included."
        )


def _listed(keys: Iterable[Any]) -> str:
    """The first names of weights; a key may be a name with its shapes."""
    names = sorted(str(key[0] if isinstance(key, tuple) else key) for key in keys)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _lacks_config(path: Path) -> bool:
    return not (path / "config.json").is_file()


def _reason(error: BaseException) -> str:
    """The whole message of another library, as one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else f"{text}."
