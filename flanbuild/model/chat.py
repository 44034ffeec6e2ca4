"""A tokenizer's chat template as tokens around a prompt: what stands before it, behind it, and ends an answer.

The template is rendered once, with marks in place of the texts, and cut at the marks. So its own control tokens become
tokens, and a prompt that spells one of them stays text.
"""

from dataclasses import dataclass
from typing import Any

from flanbuild.errors import DeclarationError
from flanbuild.progress import log

_ASKED, _ANSWERED = "qq0user0qq", "qq1assistant1qq"
"""Marks that no template contains."""


@dataclass(frozen=True)
class ChatFormat:
    """Tokens before and behind the prompt, and the token that ends an answer."""

    before: tuple[int, ...]
    behind: tuple[int, ...]
    end: int
    strips: bool
    """whether the template removes white space around a prompt"""


def has_chat_template(tokenizer: Any) -> bool:
    """Whether the tokenizer belongs to a model that is tuned to follow instructions as a conversation."""
    return bool(getattr(tokenizer, "chat_template", None))


def chat_format(tokenizer: Any) -> ChatFormat:
    """The chat template for one message of the user and the answer to it.

    Raises DeclarationError if the tokenizer has no template, or one that does not contain the message as it is.
    """
    name = tokenizer.name_or_path or type(tokenizer).__name__
    if not has_chat_template(tokenizer):
        raise DeclarationError(f"tokenizer {name}: it has no chat template; use --template none.")
    asked = _render(tokenizer, name, _ASKED)
    answered = _render(tokenizer, name, _ASKED, _ANSWERED)
    if asked.count(_ASKED) != 1 or answered.count(_ANSWERED) != 1:
        raise DeclarationError(
            f"tokenizer {name}: its chat template does not contain a message exactly once; use --template none."
        )
    before, _, behind = asked.partition(_ASKED)
    after = _tokens(tokenizer, answered.partition(_ANSWERED)[2])
    ends = after[0] if after and after[0] in tokenizer.all_special_ids else tokenizer.eos_token_id
    spaced = f" {_ASKED} \n"
    return ChatFormat(
        before=_tokens(tokenizer, before),
        behind=_tokens(tokenizer, behind),
        end=int(ends),
        strips=spaced not in _render(tokenizer, name, spaced),
    )


def log_unused_template(work: str, model: str, tokenizer: Any, template: str) -> None:
    """Says in one line that an instruct model is used without its chat template."""
    if template != "chat" and has_chat_template(tokenizer):
        log(
            f"{work}: '{model}' has a chat template, and its prompts are used without it; --template chat applies it"
        )


def _render(tokenizer: Any, name: str, asked: str, answered: str | None = None) -> str:
    from jinja2 import TemplateError

    messages = [{"role": "user", "content": asked}]
    if answered is not None:
        messages.append({"role": "assistant", "content": answered})
    try:
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answered is None)
        )
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise DeclarationError(
            f"tokenizer {name}: its chat template cannot be applied ({' '.join(str(error).split())}); use"
            " --template none."
        ) from error


def _tokens(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Tokens of a part of the template, in which names of control tokens are control tokens."""
    return tuple(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) if text else ()
