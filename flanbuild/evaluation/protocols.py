"""By which rules an evaluation turns prompts and options into tokens, scores and answers.

    protocol = PROTOCOLS["lm-eval"]

`flan` is ours: an option is scored with its end token, as the model was trained, so that an option is not preferred for
being the beginning of a longer one. `lm-eval` repeats lm-evaluation-harness 0.4.13 (`lm_eval/api/model.py`,
`api/task.py`), and `t0` the evaluation of T0 (`bigscience-workshop/t-zero`, `evaluation/run_eval.py`), so that others
find the same numbers. In all three an option's score is the sum of the log-likelihoods of its tokens, and the first of
equal scores is chosen. Importing this module loads no model library.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flanbuild.evaluation.config import ProtocolName
from flanbuild.model.codec import Codec, Tokens, Truncation

if TYPE_CHECKING:
    from flanbuild.evaluation.models import EvalModel

HARNESS_STOP = "\n\n"
"""Where lm-evaluation-harness ends a generated text unless a task says otherwise."""
_HARNESS_LENGTH = 2048
"""Tokens that lm-evaluation-harness gives a model whose configuration and tokenizer name no limit."""
_NO_LIMIT = int(1e30)
"""`model_max_length` of a tokenizer that has no limit."""


@dataclass(frozen=True)
class Encoded:
    """Tokens of prompts and of the options of each."""

    prompts: list[Tokens]
    options: list[list[Tokens]]
    border_merges: int
    """pairs of prompt and option that the tokenizer would tokenize in another way as one text"""


@dataclass(frozen=True)
class Protocol:
    """The rules of one way to evaluate."""

    name: ProtocolName
    encode: Callable[[Codec, Sequence[str], Sequence[Sequence[str]]], Encoded]
    """tokens of prompts with the options to be ranked"""
    encode_prompts: Callable[[Codec, Sequence[str]], list[Tokens]]
    """tokens of prompts whose answer is generated"""
    limits: Callable[["EvalModel"], Truncation]
    truncate: Callable[[Codec, Tokens, int], Tokens]
    """a prompt cut to so many tokens"""
    each_option_truncates: bool
    """whether a prompt is cut for each option by itself, and not for the longest one of its row"""
    normalized: tuple[str, ...]
    """further accuracies to report, names in NORMALIZED"""
    answer: Callable[[str], str]
    """the answer in a generated text"""


NORMALIZED: Mapping[str, Callable[[str], int]] = {
    "accuracy_norm": len,
    "accuracy_bytes": lambda option: len(option.encode()),
}
"""Accuracies for which the log-likelihood of an option is divided by its length, in characters or in UTF-8 bytes.

They are `acc_norm` and `acc_bytes` of lm-evaluation-harness 0.4.13."""


def _flan(codec: Codec, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> Encoded:
    texts = sorted({option for row in options for option in row})
    tokens = dict(zip(texts, codec.encode_completions(texts), strict=True))
    return Encoded(
        codec.encode_prompts(prompts),
        [[tokens[option] for option in row] for row in options],
        _merges(codec, prompts, options),
    )


def _t0(codec: Codec, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> Encoded:
    """Prompt and option are stripped and tokenized apart; only what the tokenizer puts behind a text is added."""
    texts = sorted({option for row in options for option in row})
    bare = _bare(codec, [text.strip() for text in texts])
    tokens = {text: [*row, *codec.suffix] for text, row in zip(texts, bare, strict=True)}
    return Encoded(
        _t0_prompts(codec, prompts),
        [[tokens[option] for option in row] for row in options],
        _merges(codec, prompts, options),
    )


def _t0_prompts(codec: Codec, prompts: Sequence[str]) -> list[Tokens]:
    return [tokens or [codec.end] for tokens in _bare(codec, [prompt.strip() for prompt in prompts])]


def _harness(codec: Codec, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> Encoded:
    """White space at the end of a prompt begins the option; both are tokenized as one text and then cut.

    The cut is at the number of tokens of the prompt alone. An encoder-decoder reads two texts.
    """
    heads = [prompt.rstrip() for prompt in prompts]
    tails = [
        [prompt[len(head) :] + option for option in row]
        for prompt, head, row in zip(prompts, heads, options, strict=True)
    ]
    contexts = _harness_tokens(codec, heads)
    nonempty = [context or [_harness_start(codec)] for context in contexts]
    if codec.encoder_decoder:
        alone = iter(_bare(codec, [tail for row in tails for tail in row]))
        return Encoded(nonempty, [[next(alone) for _ in row] for row in tails], 0)
    joined = iter(
        _harness_tokens(codec, [head + tail for head, row in zip(heads, tails, strict=True) for tail in row])
    )
    options_of, merges = [], 0
    for context, row in zip(contexts, tails, strict=True):
        wholes = [next(joined) for _ in row]
        options_of.append([whole[len(context) :] for whole in wholes])
        merges += sum(whole[: len(context)] != context for whole in wholes)
    return Encoded(nonempty, options_of, merges)


def _harness_prompts(codec: Codec, prompts: Sequence[str]) -> list[Tokens]:
    return [tokens or [_harness_start(codec)] for tokens in _harness_tokens(codec, prompts)]


def _harness_tokens(codec: Codec, texts: Sequence[str]) -> list[Tokens]:
    """Tokens with what the tokenizer puts before and behind a text, unless the text begins with the start token."""
    name = codec.tokenizer.decode([_harness_start(codec)])
    bare = iter(_bare(codec, [text for text in texts if text.startswith(name)]))
    special = iter(_tokenize(codec, [text for text in texts if not text.startswith(name)], special=True))
    return [next(bare if text.startswith(name) else special) for text in texts]


def _harness_start(codec: Codec) -> int:
    """The token that stands for an empty prompt."""
    start = codec.tokenizer.bos_token_id
    return codec.end if start is None else int(start)


def _harness_limits(model: "EvalModel") -> Truncation:
    """As many tokens as the model's configuration or its tokenizer names; a prompt has no limit of its own."""
    positions = _harness_positions(model)
    return Truncation(positions, positions, encoder_decoder=model.encoder_decoder)


def _harness_positions(model: "EvalModel") -> int:
    config, tokenizer = model.model.config, model.codec.tokenizer
    for source in (config.get_text_config(), config):
        for name in ("n_positions", "max_position_embeddings", "n_ctx"):
            if value := getattr(source, name, None):
                return int(value)
    limit = getattr(tokenizer, "model_max_length", None)
    return int(limit) if limit and limit < _NO_LIMIT else _HARNESS_LENGTH


def _merges(codec: Codec, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> int:
    pairs = [(prompt, option) for prompt, row in zip(prompts, options, strict=True) for option in row]
    return codec.border_merges([prompt for prompt, _ in pairs], [option for _, option in pairs])


def _bare(codec: Codec, texts: Sequence[str]) -> list[Tokens]:
    return _tokenize(codec, texts, special=False)


def _tokenize(codec: Codec, texts: Sequence[str], *, special: bool) -> list[Tokens]:
    """Tokens as other programs get them: the name of a special token inside a text becomes that token."""
    if not texts:
        return []
    encoded: Any = codec.tokenizer(list(texts), add_special_tokens=special, verbose=False)
    return [list(row) for row in encoded["input_ids"]]


def _ends(_codec: Codec, prompt: Tokens, limit: int) -> Tokens:
    return prompt[-limit:]


def _begins(_codec: Codec, prompt: Tokens, limit: int) -> Tokens:
    return prompt[:limit]


PROTOCOLS: Mapping[ProtocolName, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="flan",
            encode=_flan,
            encode_prompts=Codec.encode_prompts,
            limits=lambda model: model.truncation,
            truncate=Codec.truncate,
            each_option_truncates=False,
            normalized=("accuracy_norm",),
            answer=str.strip,
        ),
        Protocol(
            name="lm-eval",
            encode=_harness,
            encode_prompts=_harness_prompts,
            limits=_harness_limits,
            truncate=_ends,
            each_option_truncates=True,
            normalized=("accuracy_norm", "accuracy_bytes"),
            answer=lambda text: text.split(HARNESS_STOP)[0],
        ),
        Protocol(
            name="t0",
            encode=_t0,
            encode_prompts=_t0_prompts,
            limits=lambda model: model.truncation,
            truncate=_begins,
            each_option_truncates=False,
            normalized=(),
            answer=str.strip,
        ),
    )
}
