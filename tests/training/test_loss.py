"""The loss from kept positions is the plain loss, and no logits of other positions are computed."""

import numpy as np
import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from flanbuild.training.batches import IGNORED
from flanbuild.training.loss import completion_loss, keep_method, with_kept

SHAPE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def model(kind, config, **changes):
    torch.manual_seed(0)
    return kind(config(**SHAPE | changes))


BUILDS = {
    "plain": lambda: model(LlamaForCausalLM, LlamaConfig),
    "softcap": lambda: model(Gemma2ForCausalLM, Gemma2Config, final_logit_softcapping=2.0),
    "scale": lambda: model(CohereForCausalLM, CohereConfig, logit_scale=0.3),
    "bias": lambda: model(PhiForCausalLM, PhiConfig),
}


def batch() -> dict[str, torch.Tensor]:
    """Three rows with 5, 1 and 0 labels."""
    tokens = torch.from_numpy(np.random.default_rng(0).integers(3, 300, (3, 20)))
    labels = torch.full_like(tokens, IGNORED)
    labels[0, 10:15], labels[1, 3] = tokens[0, 10:15], tokens[1, 3]
    return {"input_ids": tokens, "labels": labels}


def plain_loss(network) -> torch.Tensor:
    rows = batch()
    logits = network(input_ids=rows["input_ids"], use_cache=False).logits[:, :-1]
    targets = rows["labels"][:, 1:]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("method", ["rows", "union", "all"])
def test_the_loss_and_its_gradients_are_those_of_all_logits(method, build):
    network = build()
    plain_loss(network).backward()
    expected = {name: weight.grad for name, weight in network.named_parameters()}
    network.zero_grad()
    loss = completion_loss(network, with_kept(batch(), 4), method)
    assert float(loss.detach()) == pytest.approx(float(plain_loss(network).detach()), rel=1e-5)
    loss.backward()
    assert all(
        torch.allclose(weight.grad, expected[name], atol=1e-5) for name, weight in network.named_parameters()
    )


def test_only_positions_before_a_label_are_kept():
    rows = with_kept(batch(), 1)
    assert rows["keep"].tolist()[0] == [9, 10, 11, 12, 13]
    assert (rows["targets"] != IGNORED).sum(1).tolist() == [5, 1, 0]
    assert "labels" not in rows


def test_the_number_of_kept_positions_is_rounded_up_within_the_row():
    assert with_kept(batch(), 8)["keep"].shape == (3, 8)
    assert with_kept(batch(), 128)["keep"].shape == (3, 19)


def test_the_head_sees_kept_positions_only():
    network = model(LlamaForCausalLM, LlamaConfig)
    seen = []
    network.lm_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[:-1].numel()))
    completion_loss(network, with_kept(batch(), 1), keep_method(network))
    assert seen[-1] == 15


def test_a_model_that_knows_only_common_positions_is_asked_for_those_of_all_rows():
    class Older(LlamaForCausalLM):
        def forward(self, *args, logits_to_keep=0, **given):
            if isinstance(logits_to_keep, torch.Tensor) and logits_to_keep.ndim != 1:
                raise ValueError("a number or a row of positions is needed")
            return super().forward(*args, logits_to_keep=logits_to_keep, **given)

    assert keep_method(model(Older, LlamaConfig)) == "union"


def test_a_model_that_ignores_the_positions_gives_all_logits():
    class Deaf(LlamaForCausalLM):
        def forward(self, *args, logits_to_keep=0, **given):
            return super().forward(*args, **given)

    assert keep_method(model(Deaf, LlamaConfig)) == "all"


def test_experts_are_balanced_while_training_and_not_in_validation():
    network = model(MixtralForCausalLM, MixtralConfig, num_local_experts=4)
    rows = with_kept(batch(), 4)
    plain, balanced = (completion_loss(network, rows, "rows", balance=value) for value in (0.0, 0.5))
    assert float(balanced.detach()) > float(plain.detach()) + 1
    with torch.no_grad():
        assert float(completion_loss(network, rows, "rows", balance=0.5)) == pytest.approx(float(plain))
