import pytest
import torch
import toys
from architectures import build
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from flanbuild.errors import ExecutionError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.models import EvalModel, eval_model
from flanbuild.evaluation.ranking import (
    loglikelihood_encoder_decoder,
    loglikelihood_pairs,
    loglikelihood_single,
    loglikelihood_trees,
    loglikelihoods,
    method_for,
)
from flanbuild.evaluation.requests import Request, ranking_requests
from flanbuild.model.tokenizer import END

SHAPE = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
ASKED = [
    Request([5, 6, 7, 8, 9], [[10, 1], [11, 12, 13, 1], [10, 12, 1]]),
    Request([20], [[21, 1], [22, 1]]),
    Request([30, 31, 32], [[33, 34, 35, 36, 1]]),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    return toys.tokenizer(toys.write_mixture(tmp_path_factory.mktemp("ranking") / "m", rows, rows[:5]))


@pytest.fixture(scope="module")
def llama(tokenizer):
    torch.manual_seed(0)
    return eval_model(LlamaForCausalLM(LlamaConfig(**SHAPE)), tokenizer, EvaluateConfig(prompt_length=64))


@pytest.fixture(scope="module")
def t5(tokenizer):
    torch.manual_seed(0)
    shape = T5Config(
        vocab_size=400, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    return eval_model(T5ForConditionalGeneration(shape), tokenizer, EvaluateConfig())


def advance(count: int) -> None:
    """No progress is shown."""


def by_hand(model, question: Request, option: list[int]) -> float:
    """One forward pass for one option, nothing shared, nothing padded."""
    with torch.no_grad():
        logits = model(torch.tensor([question.prompt + option])).logits[0].log_softmax(-1)
    start = len(question.prompt) - 1
    return sum(float(logits[start + i, token]) for i, token in enumerate(option))


@pytest.mark.parametrize("method", [loglikelihood_trees, loglikelihood_pairs])
def test_sharing_the_prompt_changes_no_score(method, llama):
    expected = [[by_hand(llama.model, question, option) for option in question.options] for question in ASKED]
    for found, wanted in zip(method(llama, ASKED), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)


def test_an_encoder_decoder_reads_the_prompt_once_and_scores_the_same(t5):
    for question, found in zip(ASKED, loglikelihood_encoder_decoder(t5, ASKED), strict=True):
        for option, score in zip(question.options, found, strict=True):
            logits = t5.model(
                input_ids=torch.tensor([question.prompt]), labels=torch.tensor([option])
            ).logits[0]
            wanted = sum(float(logits.detach().log_softmax(-1)[i, token]) for i, token in enumerate(option))
            assert score == pytest.approx(wanted, abs=1e-4)


def test_batches_do_not_change_the_order_of_answers(llama):
    small = EvalModel(llama.model, llama.codec, EvaluateConfig(batch_tokens=12))
    apart = loglikelihoods(small, ASKED, loglikelihood_trees, advance, task="toy")
    for found, wanted in zip(apart, loglikelihood_trees(llama, ASKED), strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)


def gemma3(window: int) -> Gemma3ForConditionalGeneration:
    """A model whose window stands in the text part of its config."""
    text = SHAPE | {"num_key_value_heads": 1, "head_dim": 16, "sliding_window": window}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    return Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=vision))


def neo() -> GPTNeoForCausalLM:
    shape = {"vocab_size": 400, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "window_size": 8}
    return GPTNeoForCausalLM(GPTNeoConfig(**shape, attention_types=[[["global", "local"], 1]]))


def bloom() -> BloomForCausalLM:
    """A model that cannot take a mask of four dimensions."""
    return BloomForCausalLM(BloomConfig(vocab_size=400, hidden_size=32, n_layer=2, n_head=2))


def mistral() -> MistralForCausalLM:
    return MistralForCausalLM(MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=8))


@pytest.mark.parametrize(
    "build", [mistral, lambda: gemma3(8), neo, bloom], ids=["mistral", "gemma3", "neo", "bloom"]
)
def test_a_model_that_trees_are_wrong_for_is_asked_pair_by_pair(build, tokenizer):
    torch.manual_seed(0)
    assert method_for(eval_model(build(), tokenizer, EvaluateConfig())) is loglikelihood_pairs


def test_other_models_are_asked_in_trees_or_by_encoder(llama, t5):
    assert method_for(llama) is loglikelihood_trees
    assert method_for(t5) is loglikelihood_encoder_decoder


def test_a_model_that_ignores_masks_is_asked_pair_by_pair(tokenizer):
    class Careless(LlamaForCausalLM):
        def forward(self, attention_mask=None, **given):
            return super().forward(**given)

    torch.manual_seed(0)
    careless = eval_model(Careless(LlamaConfig(**SHAPE)), tokenizer, EvaluateConfig())
    assert method_for(careless) is loglikelihood_pairs  # positions keep padding apart too


def test_a_long_prompt_keeps_its_end_and_is_counted(llama):
    prompts = ["word " * 200 + "end?\n", "short?\n"]
    requests = ranking_requests(llama, prompts, [["yes", "no"]] * 2, task="toy")
    assert requests.truncated_prompts == 1
    assert len(requests.requests[0].prompt) == 64
    assert llama.codec.decode_text(requests.requests[0].prompt).endswith("end?\n")


def test_options_end_as_completions_do_in_training(llama):
    request = ranking_requests(llama, ["ok?\n"], [["woof", "meow"]], task="toy").requests[0]
    texts = [llama.codec.tokenizer.decode(option) for option in request.options]
    assert texts == [f"woof{END}", f"meow{END}"]


@pytest.mark.parametrize("method", [loglikelihood_trees, loglikelihood_pairs])
def test_no_batch_holds_more_tokens_than_it_may(method, llama):
    many = [Request([5] * 20, [[6 + i, 1] for i in range(50)]), *ASKED]
    shapes = []
    embeddings = llama.model.model.embed_tokens
    hook = embeddings.register_forward_pre_hook(lambda _, given: shapes.append(given[0].numel()))
    small = EvalModel(llama.model, llama.codec, EvaluateConfig(batch_tokens=60))
    found = loglikelihoods(small, many, method, advance, task="toy")
    hook.remove()
    assert max(shapes) <= 60
    for scores, wanted in zip(found, loglikelihood_pairs(llama, many), strict=True):
        assert scores == pytest.approx(wanted, abs=1e-4)


def test_no_row_of_a_batch_is_padded_by_more_than_a_fifth(llama):
    lengths = []

    def record(model, requests):
        lengths.append([request.size for request in requests])
        return [[0.0] * len(request.options) for request in requests]

    requests = [Request([5] * size, [[6, 1]]) for size in range(3, 60)]
    loglikelihoods(llama, requests, record, advance, task="toy")

    assert sorted(size for batch in lengths for size in batch) == [request.size for request in requests]
    assert all(min(batch) >= 0.8 * max(batch) for batch in lengths)
    assert max(map(len, lengths)) > 1


def test_progress_counts_requests_and_not_their_parts(llama):
    small = EvalModel(llama.model, llama.codec, EvaluateConfig(batch_tokens=12))
    counts = []
    loglikelihoods(small, ASKED, loglikelihood_pairs, counts.append, task="toy")
    assert sum(counts) == len(ASKED)


def test_a_window_wider_than_the_longest_request_does_not_forbid_trees(tokenizer):
    torch.manual_seed(0)
    wide = eval_model(
        MistralForCausalLM(MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=64)),
        tokenizer,
        EvaluateConfig(),
    )
    assert method_for(wide, longest=40) is loglikelihood_trees
    assert method_for(wide, longest=80) is loglikelihood_pairs


def test_a_model_that_padding_disturbs_is_asked_one_option_at_a_time(tokenizer):
    model = eval_model(build("rwkv", {}), tokenizer, EvaluateConfig())
    assert method_for(model, longest=40) is loglikelihood_single


def test_the_probe_leaves_a_model_in_bfloat16_as_it_was(tokenizer):
    torch.manual_seed(0)
    network = LlamaForCausalLM(LlamaConfig(**SHAPE)).to(torch.bfloat16)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert method_for(eval_model(network, tokenizer, EvaluateConfig()), longest=40) is loglikelihood_trees
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.dtype == torch.bfloat16


def test_too_little_memory_is_a_sentence_that_names_the_setting(llama):
    def full(model, requests):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        ExecutionError, match=r"toy: the memory of the device .* lower evaluate\.batch_tokens"
    ):
        loglikelihoods(llama, ASKED, full, advance, task="toy")
