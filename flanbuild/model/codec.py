"""The one way from prompt and completion to tokens and back, used by the token cache, ranking and generation.

    codec = Codec(tokenizer, encoder_decoder=False)
    codec.encode_prompts(["Is it?\\n"]), codec.encode_completions(["yes"])

Prompt and completion are tokenized apart, so that the border of the loss is exact and a completion has the same tokens
wherever it is used. Strings such as `</s>` inside a text stay text. Importing this module loads no model library.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flanbuild.errors import DeclarationError
from flanbuild.model.chat import ChatFormat, chat_format
from flanbuild.model.settings import PROMPT_LENGTH, Template

Ints = NDArray[np.int64]
Tokens = list[int]

_SENTINELS = ("\n", "=", ".", "a")
"""Texts that a completion can be tokenized behind, tried in this order."""
_PROBES = (("a\n", "b"), ("Is it?\n", "yes"), ("a: ", "- no\n b"))
"""(prompt, completion) that show whether a way to tokenize completions gives back the text."""
_BORDER = 32
"""Characters on each side of the border that `border_merges` looks at."""


@dataclass(frozen=True)
class Truncation:
    """How many tokens of a prompt and of its completion are used, decided for each row by itself.

    A completion keeps its beginning. A prompt keeps its end, where question and options stand, and gets the room that
    the completion leaves: `seq_length` minus the tokens of the row's completion, or of its longest option.
    With `encoder_decoder`, prompt and completion are two sequences, each with `seq_length` tokens for itself.
    `None` is no limit.
    """

    seq_length: int | None
    prompt_length: int = PROMPT_LENGTH
    completion_length: int | None = None
    encoder_decoder: bool = False

    def completions(self, lengths: Ints) -> Ints:
        """Tokens kept of completions of these lengths."""
        return lengths if self.completion_length is None else np.minimum(lengths, self.completion_length)

    def prompts(self, lengths: Ints, reserved: Ints) -> Ints:
        """Tokens kept of prompts of these lengths, where `reserved` tokens must be left for each completion.

        A value below 1 means that the completion alone does not fit.
        """
        return np.minimum(lengths, self.room(reserved))

    def room(self, reserved: Ints) -> Ints:
        """Maximum tokens of the prompt beside `reserved` tokens of its completion."""
        limit = np.full_like(reserved, self.prompt_length)
        if self.seq_length is None:
            return limit
        return np.minimum(limit, self.seq_length - (0 if self.encoder_decoder else reserved))


def kept(length: int, limit: int, prefix: int) -> tuple[int, int]:
    """Which tokens a prompt of `length` tokens keeps: the first `a`, and those from `b` on, as (a, b).

    The `prefix` special tokens at its start are kept, unless they would fill the whole limit.
    """
    if length <= limit:
        return length, length
    head = prefix if prefix < limit else 0
    return head, length - (limit - head)


@dataclass(frozen=True, eq=False)
class Codec:
    """Tokenizes prompts and completions for one tokenizer and one kind of model.

    With the template `chat`, a prompt is the message of a user in the tokenizer's chat template, and a completion the
    answer to it. Raises DeclarationError if the tokenizer has no end token, or no chat template where it is asked for.
    """

    tokenizer: Any
    encoder_decoder: bool
    template: Template = "none"

    def __post_init__(self) -> None:
        if self.tokenizer.eos_token_id is None:
            raise DeclarationError(
                f"tokenizer {self.tokenizer.name_or_path or type(self.tokenizer).__name__}: it has no end-of-text token"
                " (eos_token), so no completion could end; set one in tokenizer_config.json."
            )
        if self.template == "chat":
            _ = self._chat

    @cached_property
    def end(self) -> int:
        """The token that ends a completion: the tokenizer's, or the one that ends an answer in its chat template."""
        return self._chat.end if self._chat else int(self.tokenizer.eos_token_id)

    @cached_property
    def pad(self) -> int:
        """The token that fills up a batch; it is never attended to, so the end token serves if there is no other."""
        return self.end if self.tokenizer.pad_token_id is None else int(self.tokenizer.pad_token_id)

    @property
    def prefix(self) -> tuple[int, ...]:
        """All tokens that the tokenizer or its chat template puts before a text. Truncation keeps them."""
        return self._chat.before if self._chat else self._affixes[0]

    @property
    def suffix(self) -> tuple[int, ...]:
        """Tokens behind a prompt: those of the chat template; without one, of the tokenizer for an encoder."""
        if self._chat:
            return self._chat.behind
        return self._affixes[1] if self.encoder_decoder else ()

    @cached_property
    def vocabulary_size(self) -> int:
        """Embeddings that a model needs: one more than the highest token that any text can give.

        transformers adds `<|endoftext|>` to some tokenizers whose model has no such token; no text becomes it.
        """
        added = {token for token, value in self.tokenizer.added_tokens_decoder.items() if value.special}
        never = added.union(self.tokenizer.all_special_ids)
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if getattr(getattr(backend, "model", None), "unk_token", "unknown") is not None:
            never -= {self.tokenizer.unk_token_id}
        produced = {self.end, self.pad, *self.prefix, *self.suffix}
        return 1 + max(produced.union(set(self.tokenizer.get_vocab().values()) - never))

    def encode_prompts(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of whole prompts, with `prefix` and `suffix`. A prompt without any token becomes the end token."""
        if self._chat and self._chat.strips:
            texts = [text.strip() for text in texts]
        return [[*self.prefix, *tokens, *self.suffix] or [self.end] for tokens in self._encode(texts)]

    def encode_completions(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of completions, each with the end token behind it."""
        tokens = self._encode_behind(texts, self._sentinels) if self._sentinels else self._encode(texts)
        return [[*completion, self.end] for completion in tokens]

    def truncate(self, prompt: Tokens, limit: int) -> Tokens:
        """The prompt's `prefix` and its end, `limit` tokens in all."""
        head, tail = kept(len(prompt), limit, len(self.prefix))
        return prompt if head == len(prompt) else prompt[:head] + prompt[tail:]

    def decode(self, prompt: Sequence[int], completion: Sequence[int]) -> str:
        """The text of a prompt and its completion, without special tokens.

        It equals `prompt + completion` unless the tokenizer normalizes text or the prompt begins with a space that a
        sentencepiece tokenizer takes for its own.
        """
        return self.decode_text([*prompt, *completion])

    def decode_text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without special tokens."""
        return str(
            self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def border_merges(self, prompts: Sequence[str], completions: Sequence[str]) -> int:
        """How many pairs a tokenizer would tokenize in another way as one text, with a token over the border."""
        return int(self.merges_border(prompts, completions).sum())

    def merges_border(self, prompts: Sequence[str], completions: Sequence[str]) -> NDArray[np.bool_]:
        """Which pairs these are.

        Looks at 32 characters on each side, which finds the same pairs as the whole texts in less time. An
        encoder-decoder has no border, and in a chat template other tokens stand between.
        """
        if self.encoder_decoder or self._chat:
            return np.zeros(len(prompts), dtype=np.bool_)
        borders = [(p[-_BORDER:], c[:_BORDER]) for p, c in zip(prompts, completions, strict=True)]
        unique = sorted(set(borders))
        lefts, rights = [left for left, _ in unique], [right for _, right in unique]
        apart = zip(self._encode(lefts), self.encode_completions(rights), strict=True)
        joined = self._encode([left + right for left, right in unique])
        merged = {
            border
            for border, (left, right), whole in zip(unique, apart, joined, strict=True)
            if [*left, *right[:-1]] != whole
        }
        return np.fromiter((border in merged for border in borders), dtype=np.bool_, count=len(borders))

    @cached_property
    def _chat(self) -> ChatFormat | None:
        return chat_format(self.tokenizer) if self.template == "chat" else None

    @cached_property
    def _affixes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Special tokens before and behind a text, found by comparing a text with and without them."""
        for probe in ("a", "b c", "1"):
            plain = self._tokenize([probe], special=False)[0]
            whole = self._tokenize([probe], special=True)[0]
            for start in range(len(whole) - len(plain) + 1):
                if plain and whole[start : start + len(plain)] == plain:
                    return tuple(whole[:start]), tuple(whole[start + len(plain) :])
        return (), ()

    @cached_property
    def _sentinels(self) -> tuple[str, ...]:
        """What completions are tokenized behind; empty where they are tokenized as a text of their own.

        A sentencepiece tokenizer puts a space before each text, which would come between prompt and completion. A
        completion tokenized behind another text, whose tokens are then dropped, has no such space.
        """
        if self.encoder_decoder or self._exact(()):
            return ()
        return tuple(sentinel for sentinel in _SENTINELS if self._exact((sentinel,)))

    def _exact(self, sentinels: tuple[str, ...]) -> bool:
        prompts, completions = [p for p, _ in _PROBES], [c for _, c in _PROBES]
        right = self._encode_behind(completions, sentinels) if sentinels else self._encode(completions)
        return all(
            self.decode_text([*p, *c]) == prompt + completion
            for p, c, (prompt, completion) in zip(self._encode(prompts), right, _PROBES, strict=True)
        )

    def _encode_behind(self, texts: Sequence[str], sentinels: tuple[str, ...]) -> list[Tokens]:
        """Tokens of texts as they are behind another text. The first sentinel that no text merges with is used."""
        encoded: dict[int, Tokens] = {}
        for sentinel in sentinels:
            left = [index for index in range(len(texts)) if index not in encoded]
            if not left:
                break
            start = self._encode([sentinel])[0]
            for index, tokens in zip(
                left, self._encode([sentinel + texts[index] for index in left]), strict=True
            ):
                if tokens[: len(start)] == start:
                    encoded[index] = tokens[len(start) :]
        return [
            encoded[index] if index in encoded else self._encode([texts[index]])[0]
            for index in range(len(texts))
        ]

    def _encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of texts without special tokens, though a text may contain their names."""
        rows = self._tokenize(texts, special=False)
        for index, tokens in enumerate(rows):
            if not self._control.isdisjoint(tokens):
                rows[index] = self._spell(texts[index])
        return rows

    def _tokenize(self, texts: Sequence[str], *, special: bool) -> list[Tokens]:
        if not texts:
            return []
        rows: list[Tokens] = self.tokenizer(
            list(texts), add_special_tokens=special, split_special_tokens=True, verbose=False
        )["input_ids"]
        return rows

    @cached_property
    def _control(self) -> frozenset[int]:
        """Special tokens that no text may become. The unknown token is none of them."""
        return frozenset(map(int, self.tokenizer.all_special_ids)) - {self.tokenizer.unk_token_id}

    def _spell(self, text: str) -> Tokens:
        """Tokens of a text in which the tokenizer itself finds special tokens: their names are cut in two.

        Some tokenizers list `</s>` among their ordinary pieces, so that `split_special_tokens` does not help.
        """
        names = sorted(
            (name for name in self.tokenizer.all_special_tokens if len(name) > 1), key=len, reverse=True
        )
        parts = list(_cut_names(text, names))
        first, *rest = parts
        tokens = self._tokenize([first], special=False)[0]
        for part in rest:
            start = self._tokenize(["\n"], special=False)[0]
            behind = self._tokenize(["\n" + part], special=False)[0]
            own = behind[: len(start)] == start
            tokens += behind[len(start) :] if own else self._tokenize([part], special=False)[0]
        return tokens


def _cut_names(text: str, names: Iterable[str]) -> Iterable[str]:
    """The text in parts, cut behind the first character of each name in it."""
    start = 0
    for index in range(len(text)):
        if any(text.startswith(name, index) for name in names):
            yield text[start : index + 1]
            start = index + 1
    yield text[start:]
