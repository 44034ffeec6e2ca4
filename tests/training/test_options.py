"""Options of training that must not change its result, and those that change what is written."""

from dataclasses import replace

import pytest
import torch
import toys
from safetensors.torch import load_file
from transformers import (
    BertConfig,
    BertLMHeadModel,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
)

from flanbuild.artifacts.records import read_record
from flanbuild.errors import ArtifactError, DeclarationError, ExecutionError
from flanbuild.model.loader import load_model
from flanbuild.model.record import ModelRef, TrainingRecord
from flanbuild.training.run import train

SHORT = replace(toys.TINY, steps=4, log_every=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A mixture and a short run on it."""
    place = tmp_path_factory.mktemp("options")
    rows = [toys.row(i, i % 2) for i in range(96)]
    toys.write_mixture(place / "mixture", rows, rows[:10])
    train(place / "mixture", place / "plain", SHORT)
    return place


def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def close(left, right, atol=1e-5) -> bool:
    return all(torch.allclose(left[name], right[name], atol=atol) for name in left)


def test_gradient_checkpointing_changes_no_weight(place):
    train(place / "mixture", place / "again", replace(SHORT, gradient_checkpointing=True))
    assert close(weights(place / "plain"), weights(place / "again"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, inside torch.compile
def test_a_compiled_model_learns_the_same(place):
    train(place / "mixture", place / "compiled", replace(SHORT, compile=True))
    assert close(weights(place / "plain"), weights(place / "compiled"), atol=1e-3)


def test_an_adapter_is_written_and_read_with_its_base(place):
    pytest.importorskip("peft")
    config = replace(SHORT, model=str(place / "plain"), lora_rank=4)
    train(place / "mixture", place / "adapter", config)
    train(place / "mixture", place / "merged", replace(config, lora_merge=True))
    assert not (place / "adapter/model.safetensors").exists()
    base, adapted, merged = (
        dict(load_model(ModelRef.of(str(place / name)), option="--model", dtype=torch.float32).state_dict())
        for name in ("plain", "adapter", "merged")
    )
    assert close(adapted, merged)
    assert not close(base, adapted)


def test_an_adapter_of_the_small_model_finds_it_inside_its_folder(place):
    pytest.importorskip("peft")
    train(place / "mixture", place / "small-adapter", replace(SHORT, lora_rank=2))
    load_model(ModelRef.of(str(place / "small-adapter")), option="--model", dtype=torch.float32)


def test_lora_layers_that_a_model_lacks_are_a_sentence(place):
    pytest.importorskip("peft")
    with pytest.raises(DeclarationError, match=r"train\.lora_targets: .*c_attn"):
        train(place / "mixture", place / "none", replace(SHORT, lora_rank=2, lora_targets="c_attn"))


def test_settings_without_a_meaning_are_refused_together():
    with pytest.raises(DeclarationError) as caught:
        replace(SHORT, lora_merge=True, compile=True, packing=False)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["train.lora_merge", "train.compile"]


def test_a_tracker_that_is_not_known_is_a_sentence(place):
    with pytest.raises(DeclarationError, match=r"train\.log_with: "):
        train(place / "mixture", place / "none", replace(SHORT, log_with="nothing"))


def test_runs_of_one_process_may_compute_in_other_types(place):
    for dtype in ("float32", "bfloat16", "float32"):
        train(place / "mixture", place / f"in-{dtype}", replace(SHORT, dtype=dtype, steps=1))
        assert read_record(place / f"in-{dtype}/training.json", TrainingRecord).dtype == dtype


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, inside torch.compile
def test_flex_attention_sees_packed_examples_as_sdpa_does():
    """The forward pass, which is all that a CPU can run of it."""
    shape = LlamaConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=300
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(shape).eval()
    tokens = torch.randint(0, 300, (2, 256))
    positions = torch.cat([torch.arange(100), torch.arange(156)]).expand(2, -1)
    logits = {}
    for attention in ("sdpa", "flex_attention"):
        model.set_attn_implementation(attention)
        with torch.no_grad():
            logits[attention] = model(input_ids=tokens, position_ids=positions, use_cache=False).logits
    assert torch.allclose(*logits.values(), atol=1e-5)


def test_flex_attention_on_a_cpu_is_a_sentence(place):
    with pytest.raises(DeclarationError, match="flex_attention has no backward pass on a CPU"):
        train(place / "mixture", place / "none", replace(SHORT, attention="flex_attention"))


def test_a_model_that_sees_ahead_is_refused(place):
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertLMHeadModel(BertConfig(vocab_size=400, **shape)).save_pretrained(place / "bert")
    config = replace(SHORT, model=str(place / "bert"), tokenizer=str(place / "plain"), packing=False)
    with pytest.raises(DeclarationError, match="sees the tokens it has to predict"):
        train(place / "mixture", place / "none", config)


def test_weights_that_text_does_not_reach_are_frozen_and_resume(place, caplog, monkeypatch):
    from flanbuild.training import loop

    caplog.set_level("INFO")
    text = {"vocab_size": 400, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=vision)).save_pretrained(
        place / "seeing"
    )
    config = replace(SHORT, model=str(place / "seeing"), tokenizer=str(place / "plain"), save_every=2)
    train(place / "mixture", place / "whole", config)
    assert any("take no part in text and are frozen: model.vision_tower" in line for line in caplog.messages)

    step = loop._Stepper.step

    def dies(self, number, micro_batches):
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number, micro_batches)

    monkeypatch.setattr(loop._Stepper, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        train(place / "mixture", place / "stopped", config)
    monkeypatch.undo()
    train(place / "mixture", place / "stopped", config)
    assert close(weights(place / "whole"), weights(place / "stopped"), atol=0)


def test_a_warmup_longer_than_the_run_is_said(place, caplog):
    caplog.set_level("INFO")
    train(place / "mixture", place / "short", replace(SHORT, steps=1))
    assert any("train.warmup of 6 steps is not shorter than the run of 1" in line for line in caplog.messages)


def test_the_memory_of_a_run_is_estimated_before_its_first_step(place, caplog):
    caplog.set_level("INFO")
    train(place / "mixture", place / "short", replace(SHORT, steps=1))
    assert any(line.startswith("train: about 0.") and "activations" in line for line in caplog.messages)


def test_too_little_memory_is_a_sentence_that_names_the_settings(place, monkeypatch):
    from flanbuild.training import loop

    def full(self, micro_batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop._Stepper, "_loss", full)
    with pytest.raises(ExecutionError) as caught:
        train(place / "mixture", place / "none", SHORT)
    assert str(caught.value) == (
        "train: the memory of the device does not hold micro-batches of 8 sequences of 128 tokens; raise"
        " train.gradient_accumulation (1), or set train.gradient_checkpointing, or take train.optimizer adafactor."
    )


def test_norms_and_biases_do_not_decay(place):
    from flanbuild.training.loop import _optimizer

    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
        )
    )
    decayed, others = _optimizer(network, replace(SHORT, weight_decay=0.1), torch.device("cpu")).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert {weight.ndim for weight in others["params"]} == {1}


def test_weights_that_changed_after_training_are_refused(place):
    train(place / "mixture", place / "damaged", replace(SHORT, steps=1))
    file = place / "damaged/model.safetensors"
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"the weights are not those that training\.json records"):
        load_model(ModelRef.of(str(place / "damaged")), option="--model", dtype=torch.float32)
