"""The project's own tokenizer, trained on a mixture's text, and the digest that identifies any tokenizer."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flanbuild.artifacts.files import sha256_of

PAD, END = "<|flanbuild_pad|>", "<|flanbuild_end|>"
"""Names of special tokens that no text contains, also for readers that look for such names inside texts."""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """A byte-level BPE tokenizer of at most `vocab_size` tokens, trained on `texts`.

    The same texts give the same tokenizer for any number of threads.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner, pad_token=PAD, eos_token=END
    )


def tokenizer_digest(tokenizer: Any) -> str:
    """sha256 of the files that the tokenizer saves."""
    with TemporaryDirectory() as name:
        tokenizer.save_pretrained(name)
        files = sorted(path for path in Path(name).rglob("*") if path.is_file())
        return hashlib.sha256("".join(path.name + sha256_of(path) for path in files).encode()).hexdigest()
