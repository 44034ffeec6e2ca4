"""Every architecture is trained and asked rightly, or refused: over 80 tiny models of transformers' own configs."""

import numpy as np
import pytest
import torch
import toys
from architectures import DENSE, ENCODER_DECODER, EXPERTS, RECURRENT, SEES_AHEAD, build

from flanbuild.errors import DeclarationError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.generation import generate
from flanbuild.evaluation.models import eval_model
from flanbuild.evaluation.ranking import loglikelihood_pairs, loglikelihood_trees, loglikelihoods, method_for
from flanbuild.evaluation.requests import Request
from flanbuild.model.probes import check_causal
from flanbuild.training.batches import packed, padded, paired
from flanbuild.training.config import TrainConfig
from flanbuild.training.loss import answer_loss, completion_loss, keep_method, with_kept
from flanbuild.training.models import set_up
from flanbuild.training.tokens import TokenizedExamples

pytestmark = pytest.mark.slow

DECODERS = DENSE | EXPERTS | RECURRENT
CPU = torch.device("cpu")
MUST_PACK = {"llama", "mistral", "gemma3", "qwen3", "olmo2", "phi3", "granite", "mixtral", "gpt2", "smollm3"}
MUST_USE_TREES = {"llama", "qwen3", "olmo2", "granite", "phi3", "gpt2", "smollm3"}
"""Architectures that would be slow if a probe refused them for no reason."""
NATS = 2e-3


def draw(*lengths: int, seed: int = 0) -> list[list[int]]:
    """Rows of ordinary tokens."""
    numbers = np.random.default_rng(seed)
    return [numbers.integers(10, 390, length).tolist() for length in lengths]


def examples(prompts: list[list[int]], completions: list[list[int]]) -> TokenizedExamples:
    lengths = np.array([[len(p), len(c)] for p, c in zip(prompts, completions, strict=True)])
    flat = [t for pair in zip(prompts, completions, strict=True) for side in pair for t in side]
    return TokenizedExamples(
        tokens=np.array(flat),
        starts=np.concatenate([[0], np.cumsum(lengths.sum(1))]),
        prompts=lengths[:, 0],
        kept_prompt=lengths[:, 0],
        kept_completion=lengths[:, 1],
    )


EXAMPLES = examples(draw(11, 4, 20), draw(5, 9, 3, seed=1))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    return toys.tokenizer(toys.write_mixture(tmp_path_factory.mktemp("architectures") / "m", rows, rows[:5]))


def single_loss(model) -> float:
    """The loss of each example in a forward pass of its own, from all its logits."""
    total = 0.0
    with torch.no_grad():
        for index in range(len(EXAMPLES)):
            prompt, completion = EXAMPLES.prompt(index), EXAMPLES.completion(index)
            tokens = torch.from_numpy(np.concatenate([prompt, completion]))[None]
            scores = model(input_ids=tokens, use_cache=False).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            total -= float(scores.gather(1, tokens[0, len(prompt) :, None]).sum())
    return total


@pytest.mark.parametrize("name", DECODERS)
def test_packed_and_padded_losses_are_those_of_each_example_alone_or_refused(name):
    model = build(name, DECODERS[name])
    expected = single_loss(model)
    method = keep_method(model)
    each = [np.array([index]) for index in range(len(EXAMPLES))]
    with torch.no_grad():
        found = completion_loss(model, with_kept(padded(0)(EXAMPLES, each), 4), method)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    try:
        set_up(model, TrainConfig(model=name), CPU)
    except DeclarationError as refused:
        message = str(refused)
    else:
        message = ""
    assert not message or (name not in MUST_PACK and "lets packed examples see each other" in message)
    if message:
        return
    batch = with_kept(packed(64, 0)(EXAMPLES, [np.arange(len(EXAMPLES))]), 4)
    with torch.no_grad():
        assert float(completion_loss(model.eval(), batch, method)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_options_score_as_they_do_alone_by_the_method_that_is_chosen(name, tokenizer):
    model = eval_model(build(name, DECODERS[name]), tokenizer, EvaluateConfig(prompt_length=128))
    prompts = draw(100, 3, 30)
    requests = [Request(prompt, draw(2, 5, 1, 3, seed=7)) for prompt in prompts]
    method = method_for(model, max(request.size for request in requests))
    found = loglikelihoods(model, requests, method, lambda count: None, task="toy")
    for request, scores in zip(requests, found, strict=True):
        for option, score in zip(request.options, scores, strict=True):
            with torch.no_grad():
                logits = model.model(
                    input_ids=torch.tensor([request.prompt + option]), use_cache=False
                ).logits[0]
            start = len(request.prompt) - 1
            tokens = torch.tensor(option)
            alone = logits[start : start + len(option)].log_softmax(-1).gather(1, tokens[:, None]).sum()
            assert score == pytest.approx(float(alone), abs=NATS)
    if name in MUST_USE_TREES:
        assert method is loglikelihood_trees
    if name in ("gemma3", "mistral", "gpt_neo", "jamba", "lfm2"):
        assert method is loglikelihood_pairs


@pytest.mark.parametrize("name", DECODERS | ENCODER_DECODER)
def test_an_answer_does_not_depend_on_the_batch(name, tokenizer):
    encoder_decoder = name in ENCODER_DECODER
    changes = (DECODERS | ENCODER_DECODER)[name]
    model = build(name, changes, encoder_decoder=encoder_decoder)
    requests = [Request(prompt, []) for prompt in draw(3, 40, 12, 25, 7)]
    together, alone = (
        generate(
            eval_model(model, tokenizer, EvaluateConfig(max_new_tokens=5, batch=batch)),
            requests,
            lambda count: None,
            task="toy",
        ).texts
        for batch in (5, 1)
    )
    assert together == alone


@pytest.mark.parametrize("name", DECODERS)
def test_no_decoder_sees_ahead(name):
    check_causal(build(name, DECODERS[name]), option="train.model", name=name)


@pytest.mark.parametrize("name", SEES_AHEAD)
def test_a_model_that_sees_ahead_is_refused(name):
    with pytest.raises(DeclarationError, match="sees the tokens it has to predict"):
        set_up(build(name, SEES_AHEAD[name]), TrainConfig(model=name, packing=False), CPU)


@pytest.mark.parametrize("name", ENCODER_DECODER)
def test_padding_does_not_change_the_loss_of_an_encoder_decoder(name):
    model = build(name, ENCODER_DECODER[name], encoder_decoder=True)
    each = [np.array([index]) for index in range(len(EXAMPLES))]
    with torch.no_grad():
        together = answer_loss(model, paired(0)(EXAMPLES, each))
        alone = sum(float(answer_loss(model, paired(0)(EXAMPLES, [one]))) for one in each)
    assert float(together) == pytest.approx(alone, rel=1e-4)


def test_the_table_has_causal_hybrid_and_encoder_decoder_models():
    assert len(DECODERS) >= 60
    assert len(RECURRENT) >= 8
    assert len(ENCODER_DECODER) >= 8
