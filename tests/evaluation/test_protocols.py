import pytest
import torch
import toys
from tokenizers import processors
from transformers import GPT2Config, GPT2LMHeadModel

from flanbuild.errors import DeclarationError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.models import eval_model
from flanbuild.evaluation.protocols import NORMALIZED, PROTOCOLS
from flanbuild.evaluation.ranking import loglikelihood_pairs
from flanbuild.evaluation.requests import generation_requests, ranking_requests
from flanbuild.model.codec import Codec
from flanbuild.model.tokenizer import train_tokenizer

TEXTS = ["Is it so?\nyes", "a dog.\nno", "Is the dog so? yes", "It is not a dog.\n\n"] * 20
PROMPT = "Is it so?\n"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 300)


@pytest.fixture(scope="module")
def sentencepiece():
    return toys.sentencepiece("bpe", "first", TEXTS)


def gpt2(tokenizer, positions: int = 64, **config):
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=positions)
    )
    return eval_model(model, tokenizer, EvaluateConfig(**config))


def text(tokenizer, tokens: list[int]) -> str:
    return tokenizer.decode(tokens, clean_up_tokenization_spaces=False)


def test_flan_scores_an_option_with_its_end_token(tokenizer):
    asked = ranking_requests(gpt2(tokenizer), [PROMPT], [["yes", "no"]], task="toy").requests[0]
    assert [option[-1] for option in asked.options] == [tokenizer.eos_token_id] * 2


def test_lm_eval_scores_no_end_token_and_moves_white_space_to_the_option(tokenizer):
    asked = ranking_requests(gpt2(tokenizer, protocol="lm-eval"), [PROMPT], [["yes"]], task="toy").requests[0]
    assert (text(tokenizer, asked.prompt), text(tokenizer, asked.options[0])) == ("Is it so?", "\nyes")
    assert asked.prompt + asked.options[0] == tokenizer.encode(PROMPT + "yes")


def test_lm_eval_puts_no_start_token_before_an_option(sentencepiece):
    asked = ranking_requests(
        gpt2(sentencepiece, protocol="lm-eval"), [PROMPT], [["yes"]], task="toy"
    ).requests[0]
    assert asked.prompt[0] == sentencepiece.bos_token_id
    assert sentencepiece.bos_token_id not in asked.options[0]
    assert asked.prompt + asked.options[0] == sentencepiece.encode(PROMPT + "yes")


def test_a_score_of_lm_eval_is_the_log_likelihood_of_the_joint_tokens_behind_the_prompts(tokenizer):
    model = gpt2(tokenizer, protocol="lm-eval")
    whole, start = tokenizer.encode(PROMPT + "yes"), len(tokenizer.encode(PROMPT.rstrip()))
    with torch.no_grad():
        logprobs = model.model(torch.tensor([whole])).logits.log_softmax(-1)[0]
    expected = sum(logprobs[at - 1, whole[at]].item() for at in range(start, len(whole)))
    asked = ranking_requests(model, [PROMPT], [["yes", "no"]], task="toy")
    assert loglikelihood_pairs(model, asked.requests)[0][0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("prompt", ["", "\n"])
def test_lm_eval_scores_an_empty_prompt_behind_the_start_token(prompt, tokenizer, sentencepiece):
    for one in (tokenizer, sentencepiece):
        codec = Codec(one, encoder_decoder=False)
        encoded = PROTOCOLS["lm-eval"].encode(codec, [prompt], [["yes"]])
        start = one.eos_token_id if one.bos_token_id is None else one.bos_token_id
        assert encoded.prompts == [[start]]
        assert encoded.options == [[one.encode(prompt + "yes", add_special_tokens=False)]]


def test_lm_eval_counts_tokens_that_lie_over_the_border(tokenizer):
    # The tokenizer has one token for " so", so an option that begins inside of it cuts the token in two.
    codec = Codec(tokenizer, encoder_decoder=False)
    assert len(tokenizer.encode(" so")) == 1
    assert PROTOCOLS["lm-eval"].encode(codec, ["Is it s"], [["o?"]]).border_merges == 1


def test_lm_eval_cuts_a_prompt_for_each_option_by_itself(tokenizer):
    model = gpt2(tokenizer, positions=16, protocol="lm-eval")
    asked = ranking_requests(model, ["a dog. " * 20 + "so?"], [["yes", "no no no no"]], task="toy")
    assert asked.rows == [0, 0]
    assert asked.truncated_prompts == 1
    assert {len(request.prompt + request.options[0]) for request in asked.requests} == {16}
    scores = asked.by_row(loglikelihood_pairs(model, asked.requests))
    assert [len(row) for row in scores] == [2]


def test_lm_eval_has_no_limit_for_prompts_but_the_models(tokenizer):
    prompts = ["so? " * 200]
    ours = ranking_requests(gpt2(tokenizer, 2048, prompt_length=8), prompts, [["yes"]], task="toy")
    theirs = ranking_requests(
        gpt2(tokenizer, 2048, prompt_length=8, protocol="lm-eval"), prompts, [["yes"]], task="toy"
    )
    assert (ours.truncated_prompts, theirs.truncated_prompts) == (1, 0)


def test_lm_eval_ends_generated_text_at_an_empty_line():
    assert PROTOCOLS["lm-eval"].answer(" yes\nit is\n\nno") == " yes\nit is"
    assert PROTOCOLS["flan"].answer(" yes\nit is\n\nno ") == "yes\nit is\n\nno"


def test_t0_strips_prompt_and_option_and_adds_no_end(tokenizer):
    asked = ranking_requests(gpt2(tokenizer, protocol="t0"), [PROMPT], [[" yes"]], task="toy").requests[0]
    assert (text(tokenizer, asked.prompt), text(tokenizer, asked.options[0])) == ("Is it so?", "yes")


def test_t0_gives_an_encoder_decoder_the_end_that_its_tokenizer_adds():
    tokenizer = train_tokenizer(TEXTS, 300)
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end[0]}", special_tokens=[end]
    )
    encoded = PROTOCOLS["t0"].encode(Codec(tokenizer, encoder_decoder=True), [PROMPT], [["yes"]])
    assert encoded.prompts[0][-1] != end[1]
    assert encoded.options[0][0][-1] == end[1]


def test_t0_cuts_the_end_of_a_long_prompt(tokenizer):
    model = gpt2(tokenizer, protocol="t0", prompt_length=8, max_new_tokens=4)
    asked = generation_requests(model, ["a dog. " * 9 + "so?"], task="toy")
    assert text(tokenizer, asked.requests[0].prompt).startswith("a dog")
    assert len(asked.requests[0].prompt) == 8


def test_an_option_without_a_token_is_one_sentence(tokenizer):
    with pytest.raises(
        DeclarationError, match="toy: the option ' ' has no token of its own, which protocol t0"
    ):
        ranking_requests(gpt2(tokenizer, protocol="t0"), [PROMPT], [["yes", " "]], task="toy")


def test_options_with_equal_tokens_are_counted(tokenizer):
    asked = ranking_requests(
        gpt2(tokenizer, protocol="t0"), [PROMPT] * 2, [["a", " a"], ["a", "b"]], task="toy"
    )
    assert asked.equal_options == 1


def test_acc_norm_of_the_harness_counts_characters_and_acc_bytes_counts_bytes():
    assert (NORMALIZED["accuracy_norm"]("né"), NORMALIZED["accuracy_bytes"]("né")) == (2, 3)
