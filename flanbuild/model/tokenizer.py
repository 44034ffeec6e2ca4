"""The tokenizer: trained on the mixture's own text, and told apart from others by its files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flanbuild.artifacts.files import sha256_of

_PAD, _END = "<pad>", "<end>"


def leading(tokenizer: Any) -> list[int]:
    """The token that the tokenizer begins a text with, if it does; a cut must not take it."""
    first = tokenizer.bos_token_id
    return [first] if first is not None and tokenizer("a")["input_ids"][0] == first else []


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """A byte-level BPE trained on `texts`.

    The same texts give the same tokenizer, whatever the number of threads.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[_PAD, _END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner, pad_token=_PAD, eos_token=_END
    )


def tokenizer_digest(tokenizer: Any) -> str:
    """Of the files that the tokenizer saves."""
    with TemporaryDirectory() as name:
        tokenizer.save_pretrained(name)
        files = sorted(path for path in Path(name).rglob("*") if path.is_file())
        return hashlib.sha256("".join(path.name + sha256_of(path) for path in files).encode()).hexdigest()
