import pytest
import torch
import toys
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.generation import generate
from flanbuild.evaluation.models import EvalModel, eval_model
from flanbuild.evaluation.requests import generation_requests

PROMPTS = ["A dog.\n", "Ann has a dog. " * 6, "cat\n", *(toys.row(i, i % 2)["prompt"] for i in range(4))]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    return toys.tokenizer(toys.write_mixture(tmp_path_factory.mktemp("generation") / "m", rows, rows[:5]))


def sharp(model):
    """The model with weights four times as large, so that a wrong position or mask changes its answers."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    return model


def llama():
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=400, **shape))


def t5():
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    return T5ForConditionalGeneration(T5Config(vocab_size=400, decoder_start_token_id=0, **shape))


def bart():
    """An encoder with learned positions."""
    shape = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "max_position_embeddings": 128}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64}
    return BartForConditionalGeneration(BartConfig(vocab_size=400, decoder_ffn_dim=64, **shape, **heads))


def answers(model, tokenizer, batch: int) -> list[str]:
    ready = eval_model(model, tokenizer, EvaluateConfig(max_new_tokens=6, batch=batch))
    requests = generation_requests(ready, PROMPTS, task="toy").requests
    return generate(ready, requests, lambda count: None, task="toy").texts


@pytest.mark.parametrize("build", [llama, t5, bart])
def test_answers_do_not_depend_on_the_batch(build, tokenizer):
    torch.manual_seed(0)
    model = sharp(build())
    together, alone = (answers(model, tokenizer, batch) for batch in (7, 1))
    assert together == alone
    assert len(set(together)) > 1


def test_a_model_of_short_positions_truncates_what_its_encoder_reads(tokenizer):
    model = eval_model(bart(), tokenizer, EvaluateConfig(max_new_tokens=6))
    requests = generation_requests(model, ["word " * 300], task="toy")
    assert (len(requests.requests[0].prompt), requests.truncated_prompts) == (128, 1)


def test_answers_that_leave_no_room_for_a_prompt_are_refused(tokenizer):
    model = eval_model(bart(), tokenizer, EvaluateConfig(max_new_tokens=129))
    with pytest.raises(DeclarationError, match="toy: an answer of 129 tokens leaves no room"):
        generation_requests(model, ["word"], task="toy")


def test_scores_that_are_no_numbers_stop_generation(tokenizer):
    model: EvalModel = eval_model(llama(), tokenizer, EvaluateConfig(max_new_tokens=2))
    with torch.no_grad():
        model.model.model.norm.weight[0] = float("nan")
    requests = generation_requests(model, ["word"], task="toy").requests
    with pytest.raises(ExecutionError, match="toy: the model's scores are not finite"):
        generate(model, requests, lambda count: None, task="toy")
