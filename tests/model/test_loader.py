"""One loader for training and evaluation: what it reads, and what it says of what it cannot read."""

import json
import shutil

import pytest
import torch
import toys
from transformers import (
    AutoTokenizer,
    Gemma3Config,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    T5Config,
    T5ForConditionalGeneration,
)

from flanbuild.errors import DeclarationError
from flanbuild.model.loader import load_model, load_tokenizer, max_positions
from flanbuild.model.record import ModelRef

SHAPE = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole model with its tokenizer."""
    path = tmp_path_factory.mktemp("loader")
    rows = [toys.row(i, 0) for i in range(12)]
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(path / "model")
    toys.tokenizer(toys.write_mixture(path / "mixture", rows, rows[:2])).save_pretrained(path / "model")
    return path / "model"


@pytest.fixture
def copied(folder, tmp_path):
    """A copy to damage."""
    return shutil.copytree(folder, tmp_path / "model")


def load(path, **options):
    return load_model(ModelRef.of(str(path)), option="--model", dtype=torch.float32, **options)


def fault(read) -> str:
    with pytest.raises(DeclarationError) as caught:
        read()
    return str(caught.value)


def test_a_whole_model_is_read_with_the_dtype_asked_for(folder):
    model = load_model(ModelRef.of(str(folder)), option="--model", dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    assert len(load_tokenizer(ModelRef.of(str(folder)), option="--model")) == len(
        AutoTokenizer.from_pretrained(folder)
    )


def test_tied_weights_are_not_missing(tmp_path):
    LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=True)).save_pretrained(tmp_path / "tied")
    shape = T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(shape).save_pretrained(tmp_path / "t5")
    assert load(tmp_path / "tied").config.tie_word_embeddings
    assert load(tmp_path / "t5").config.is_encoder_decoder


def test_missing_weights_are_named_and_not_invented(tmp_path):
    LlamaModel(LlamaConfig(**SHAPE)).save_pretrained(tmp_path / "headless")
    assert "(missing: lm_head.weight); save the whole model" in fault(lambda: load(tmp_path / "headless"))


def test_weights_of_no_part_of_the_model_are_named(copied):
    config = json.loads((copied / "config.json").read_text()) | {"num_hidden_layers": 1}
    (copied / "config.json").write_text(json.dumps(config))
    message = fault(lambda: load(copied))
    assert "of no part of the model: model.layers.1." in message
    assert "and 5 more" in message


def test_weights_of_another_shape_are_a_sentence(copied):
    config = json.loads((copied / "config.json").read_text()) | {"intermediate_size": 48}
    (copied / "config.json").write_text(json.dumps(config))
    assert "cannot be read" in fault(lambda: load(copied))


def test_half_a_file_of_weights_is_a_sentence(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "cannot be read: Error while deserializing header" in fault(lambda: load(copied))


def test_weights_in_pickle_files_are_not_read(copied):
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    assert "no *.safetensors file, only pytorch_model.bin" in fault(lambda: load(copied))


def test_gguf_is_told_apart(tmp_path):
    (tmp_path / "weights.gguf").write_bytes(b"GGUF")
    for name in (tmp_path, tmp_path / "weights.gguf"):
        assert "GGUF weights, which flanbuild does not read; convert them" in fault(
            lambda name=name: load(name)
        )


def test_an_adapter_is_told_apart(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "is a PEFT adapter, not a whole model; merge it" in fault(lambda: load(tmp_path))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert "no such folder" in fault(lambda: load(tmp_path / "none"))
    for name in ("./none", "models/of/mine"):
        assert "no such folder" in fault(lambda name=name: load(name))


def test_what_is_given_for_a_model_is_told_apart_for_its_tokenizer_too(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    ref = ModelRef.of(str(tmp_path))
    assert "is a PEFT adapter" in fault(lambda: load_tokenizer(ref, option="--model"))


def test_the_whole_reason_of_an_error_is_given(copied):
    (copied / "config.json").write_text('{"model_type": "nonsense", "architectures": []}')
    message = fault(lambda: load(copied))
    assert "nonsense" in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_folder_without_tokenizer_is_named_though_transformers_makes_one_up(kind, tmp_path):
    shape = T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=2)
    model = {"llama": LlamaForCausalLM(LlamaConfig(**SHAPE)), "t5": T5ForConditionalGeneration(shape)}[kind]
    model.save_pretrained(tmp_path / "bare")
    ref = ModelRef.of(str(tmp_path / "bare"))
    message = fault(lambda: load_tokenizer(ref, option="--model"))
    assert f"no tokenizer in '{tmp_path / 'bare'}'; name another one with --tokenizer" in message


def test_a_tokenizer_of_another_folder_is_used_without_the_models_revision(folder, tmp_path):
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(tmp_path / "bare")
    ref = ModelRef(kind="folder", name=str(tmp_path / "bare"), revision="abc", tokenizer=str(folder))
    assert len(load_tokenizer(ref, option="--model")) > 0


def test_limits_are_read_from_the_text_part_of_a_config():
    class Nested:
        config = Gemma3Config(text_config={"max_position_embeddings": 77})

    assert max_positions(Nested) == 77


def test_a_model_folder_is_found_from_any_working_directory(tmp_path):
    ref = ModelRef(kind="folder", name="../base", tokenizer=".").resolved(tmp_path / "models/tuned")
    assert ref.name == str(tmp_path / "models/tuned/../base")
    absolute = ModelRef(kind="folder", name="/models/base").resolved(tmp_path)
    assert absolute.name == "/models/base"
    assert ModelRef(kind="hub", name="org/name").resolved(tmp_path).name == "org/name"
