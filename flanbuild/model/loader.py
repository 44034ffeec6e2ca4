"""The one way to read a model and its tokenizer: a folder, a GGUF file, an adapter, or a name on the hub.

    model = load_model(ModelRef.of("org/name"), option="--model", dtype=torch.float32)

Only safetensors and GGUF are read and no code from a model repository runs. Every weight of the model must be in its
files.
What cannot be read raises DeclarationError with the reason and the cure in one sentence.
"""

import warnings
from collections.abc import Iterable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar

from flanbuild.errors import DeclarationError, require
from flanbuild.model.codec import Codec
from flanbuild.model.files import ModelFiles, adapter_base, check_digest, check_tokenizer_path, locate
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


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch found too little memory, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def max_positions(model: Any) -> int | None:
    """Tokens that the model has positions for, or None where it has no such limit."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(positions) if positions else None


def load_model(ref: ModelRef, *, option: str, dtype: torch.dtype) -> Any:
    """The model with all its weights, on the CPU. `option` names in messages where the model was asked for.

    GGUF weights are dequantized to `dtype`. An adapter is merged into its base model.
    """
    found = locate(ref, option=option)
    check_digest(ref, option=option)
    if found.format == "adapter":
        return _merged(found, option, dtype)
    try:
        model, report = _read(found, ref, option, dtype)
    except _ERRORS as error:
        where_from = (
            "is no folder and cannot be read from the hub" if found.format == "hub" else "cannot be read"
        )
        raise DeclarationError(f"{option}: '{ref.name}' {where_from}: {_reason(error)}") from error
    _check_weights(ref, option, report)
    return model


def load_tokenizer(ref: ModelRef, *, option: str) -> Any:
    """The tokenizer that goes with the model. A model without tokenizer files raises DeclarationError."""
    name, revision = ref.name, ref.revision
    if ref.tokenizer is not None and ref.tokenizer != ref.name:
        name, revision = ref.tokenizer, ref.tokenizer_revision
        check_tokenizer_path(name, option)
    elif (found := locate(ref, option=option)).format == "adapter" and not _has_tokenizer(Path(found.folder)):
        return load_tokenizer(adapter_base(Path(found.folder), option), option=option)
    folder, gguf = _tokenizer_files(name, option)
    options = {"revision": revision, "trust_remote_code": False} | ({"gguf_file": gguf} if gguf else {})
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        present = gguf is not None or _has_tokenizer_file(tokenizer, folder, revision)
    except _ERRORS as error:
        raise DeclarationError(
            f"{option}: no tokenizer in '{name}'; name another one with --tokenizer. {_reason(error)}"
        ) from error
    if not present:  # transformers makes one up from the model's type
        raise DeclarationError(f"{option}: no tokenizer in '{name}'; name another one with --tokenizer.")
    return tokenizer


def check_vocabulary(model: Any, codec: Codec, *, option: str, name: str) -> None:
    """Raises DeclarationError if a text may give tokens that the model has no embedding for."""
    rows = model.get_input_embeddings().weight.shape[0]
    if codec.vocabulary_size > rows:
        raise DeclarationError(
            f"{option}: it has {codec.vocabulary_size} tokens and '{name}' has embeddings for {rows}; use the model's"
            " own tokenizer."
        )


def _read(found: ModelFiles, ref: ModelRef, option: str, dtype: torch.dtype) -> tuple[Any, dict[str, Any]]:
    """The model, and what transformers says of weights that are missing or do not fit."""
    where: dict[str, Any] = {"revision": ref.revision, "trust_remote_code": False}
    if found.format == "gguf":
        require(f"{option}: '{ref.name}'", "train", ("gguf",))
        where["gguf_file"] = found.gguf
    config = AutoConfig.from_pretrained(found.folder, **where)
    kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    options: dict[str, Any] = {"dtype": dtype, "output_loading_info": True}
    if found.format != "gguf":
        return cast(
            "tuple[Any, dict[str, Any]]",
            kind.from_pretrained(found.folder, use_safetensors=True, **options, **where),
        )
    if hasattr(
        transformers, "GgufConfig"
    ):  # later versions keep the blocks on a GPU, where nothing could train
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    with redirect_stderr(StringIO()):  # a progress bar that no setting turns off
        model, report = kind.from_pretrained(found.folder, **options, **where)
    _forget_quantization(model)
    return model, report


def _forget_quantization(model: Any) -> None:
    """The weights are ordinary tensors now, so the model can be trained and saved as any other."""
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _merged(found: ModelFiles, option: str, dtype: torch.dtype) -> Any:
    """The base model of an adapter with the adapter's weights added to its own."""
    require(f"{option}: the adapter '{found.folder}'", "train", ("peft",))
    from peft import PeftModel

    base = load_model(adapter_base(Path(found.folder), option), option=option, dtype=dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft uses older names of transformers
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            model = PeftModel.from_pretrained(base, found.folder)
            return model.merge_and_unload(safe_merge=True)
    except (*_ERRORS, UserWarning, TypeError, AttributeError) as error:
        raise DeclarationError(
            f"{option}: the adapter '{found.folder}' cannot be merged into its base model: {_reason(error)}"
        ) from error


def _tokenizer_files(name: str, option: str) -> tuple[str, str | None]:
    """The folder or hub name to read a tokenizer from, and the GGUF file inside it that holds it, if one does."""
    path = Path(name)
    if path.is_dir() and _has_tokenizer(path):
        return name, None
    if path.suffix == ".gguf" or (path.is_dir() and any(path.glob("*.gguf"))):
        found = locate(ModelRef.of(name), option=option)
        if found.format == "gguf":
            require(f"{option}: '{name}'", "train", ("gguf",))
            return found.folder, found.gguf
    return name, None


def _has_tokenizer(folder: Path) -> bool:
    names = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "tekken.json")
    return any((folder / name).is_file() for name in names)


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


def _reason(error: BaseException) -> str:
    """The whole message of another library, as one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else f"{text}."
