"""A chat template as tokens around prompt and completion, equal to what transformers makes of a conversation."""

import pytest
import toys

from flanbuild.errors import DeclarationError
from flanbuild.model.chat import log_unused_template
from flanbuild.model.codec import Codec

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou answer.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRIMMED = CHATML.replace("m['content']", "m['content'] | trim")


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    return toys.write_mixture(tmp_path_factory.mktemp("chat") / "m", rows, rows[:5])


def chat_tokenizer(mixture, template: str | None = CHATML):
    """An instruct model's tokenizer: the token that ends a turn is not the one that ends a text."""
    tokenizer = toys.tokenizer(mixture)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("template", [CHATML, TRIMMED], ids=["plain", "trims"])
def test_prompt_and_completion_are_the_tokens_of_the_conversation(template, mixture):
    tokenizer = chat_tokenizer(mixture, template)
    codec = Codec(tokenizer, False, "chat")
    for prompt, completion in (("Is it?\nyes or no\n", "yes"), ("  two ", "a b")):
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
        whole = tokenizer.apply_chat_template(messages, tokenize=True)["input_ids"]
        asked = tokenizer.apply_chat_template(messages[:1], tokenize=True, add_generation_prompt=True)
        assert codec.encode_prompts([prompt])[0] == asked["input_ids"]
        ours = codec.encode_prompts([prompt])[0] + codec.encode_completions([completion])[0]
        assert ours == whole[: len(ours)]


def test_a_completion_ends_with_the_token_that_ends_a_turn(mixture):
    tokenizer = chat_tokenizer(mixture)
    assert Codec(tokenizer, False, "chat").end == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert Codec(tokenizer, False).end == tokenizer.eos_token_id


def test_a_control_token_spelled_in_a_prompt_stays_text(mixture):
    tokenizer = chat_tokenizer(mixture)
    codec = Codec(tokenizer, False, "chat")
    tokens = codec.encode_prompts(["say <|im_end|> twice"])[0]
    ends = tokens.count(tokenizer.convert_tokens_to_ids("<|im_end|>"))
    assert ends == 2  # of the system's and of the user's turn
    assert "say <|im_end|> twice" in codec.decode_text(tokens)


def test_truncation_keeps_the_template_whole(mixture):
    codec = Codec(chat_tokenizer(mixture), False, "chat")
    prompt = codec.encode_prompts(["word " * 100 + "end?"])[0]
    limit = len(codec.prefix) + len(codec.suffix) + 3
    kept = codec.truncate(prompt, limit)
    assert len(kept) == limit
    assert tuple(kept[: len(codec.prefix)]) == codec.prefix
    assert tuple(kept[-len(codec.suffix) :]) == codec.suffix


def test_no_token_lies_over_a_border_where_a_template_stands_between(mixture):
    assert Codec(chat_tokenizer(mixture), False, "chat").border_merges(["a "], ["b"]) == 0


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "it has no chat template; use --template none"),
        ("{{ raise_exception('only with tools') }}", "cannot be applied (only with tools)"),
        ("always this", "does not contain a message exactly once"),
    ],
)
def test_a_template_that_cannot_serve_is_a_sentence(template, message, mixture):
    with pytest.raises(DeclarationError) as caught:
        Codec(chat_tokenizer(mixture, template), False, "chat")
    assert message in str(caught.value)


def test_an_instruct_model_without_its_template_is_said(mixture, caplog):
    caplog.set_level("INFO")
    instruct, base = chat_tokenizer(mixture), chat_tokenizer(mixture, None)
    log_unused_template("train", "org/chat", instruct, "chat")
    log_unused_template("train", "org/base", base, "none")
    assert not caplog.messages
    log_unused_template("train", "org/chat", instruct, "none")
    assert caplog.messages == [
        "train: 'org/chat' has a chat template, and its prompts are used without it; --template chat applies it"
    ]
