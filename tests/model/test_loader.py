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
from flanbuild.model.files import model_digest
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


@pytest.fixture(scope="module")
def gguf(folder, tmp_path_factory):
    """The same model and tokenizer as a GGUF file."""
    pytest.importorskip("gguf")
    from gguf_file import write_gguf

    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, LlamaForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    return path


TOKENS = torch.tensor([[5, 6, 7, 8, 9, 10]])


@torch.no_grad()
def logits(model):
    return model.eval()(TOKENS).logits


def test_a_gguf_file_and_its_folder_give_the_model_they_were_made_from(folder, gguf):
    expected = logits(load(folder))
    for name in (gguf, gguf.parent):
        assert torch.allclose(logits(load(name)), expected, atol=1e-5)


def test_a_gguf_file_brings_its_tokenizer(folder, gguf):
    texts = ["Ann has a dog.\nWhat does it say?\n", "woof", "2 x\n\n- yes"]
    own, read = (
        AutoTokenizer.from_pretrained(folder),
        load_tokenizer(ModelRef.of(str(gguf)), option="--model"),
    )
    assert read(texts)["input_ids"] == own(texts)["input_ids"]
    assert read.eos_token_id == own.eos_token_id


def test_a_dequantized_model_is_saved_as_any_other(gguf, tmp_path):
    model = load(gguf)
    model.save_pretrained(tmp_path / "saved")
    assert torch.equal(logits(load(tmp_path / "saved")), logits(model))


def test_gguf_files_of_one_folder_are_not_chosen_among(gguf, tmp_path):
    for name in ("a.gguf", "b.gguf"):
        shutil.copyfile(gguf, tmp_path / name)
    assert "holds 2 GGUF files; name one of them, such as" in fault(lambda: load(tmp_path))


def test_half_a_gguf_file_is_a_sentence(gguf, tmp_path):
    (tmp_path / "half.gguf").write_bytes(gguf.read_bytes()[:20_000])
    assert "half.gguf' cannot be read: " in fault(lambda: load(tmp_path / "half.gguf"))


def test_a_gguf_file_that_lacks_a_tensor_is_named(folder, tmp_path):
    pytest.importorskip("gguf")
    from gguf_file import write_gguf

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder)
    write_gguf(tmp_path / "less.gguf", model, tokenizer, without="blk.1.attn_v.weight")
    assert "missing: model.layers.1.self_attn.v_proj.weight" in fault(lambda: load(tmp_path / "less.gguf"))


@pytest.fixture
def adapter(folder, tmp_path):
    """An adapter with weights that change the model, and the model that it was saved from."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    settings = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = peft.get_peft_model(LlamaForCausalLM.from_pretrained(folder), settings)
    model.peft_config["default"].base_model_name_or_path = str(folder)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter", model


def test_an_adapter_is_merged_into_its_base(folder, adapter):
    path, model = adapter
    merged = load(path)
    assert torch.allclose(logits(merged), logits(model), atol=1e-5)
    assert not torch.allclose(logits(merged), logits(load(folder)), atol=1e-2)
    assert len(load_tokenizer(ModelRef.of(str(path)), option="--model")) == len(
        AutoTokenizer.from_pretrained(folder)
    )


def test_a_base_named_relative_to_its_adapter_is_found(folder, adapter):
    path, model = adapter
    shutil.copytree(folder, path.parent / "base")
    config = json.loads((path / "adapter_config.json").read_text()) | {"base_model_name_or_path": "../base"}
    (path / "adapter_config.json").write_text(json.dumps(config))
    assert torch.allclose(logits(load(path)), logits(model), atol=1e-5)


def test_an_adapter_that_lacks_weights_is_not_merged(adapter):
    from safetensors.torch import load_file, save_file

    path, _ = adapter
    weights = load_file(path / "adapter_model.safetensors")
    save_file(dict(list(weights.items())[:-1]), path / "adapter_model.safetensors")
    assert "cannot be merged into its base model: Found missing adapter keys" in fault(lambda: load(path))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "names no base_model_name_or_path, so it cannot be merged"),
        ({"base_model_name_or_path": "/no/such/base"}, "'/no/such/base' cannot be read: no such folder"),
    ],
)
def test_an_adapter_without_its_base_is_a_sentence(config, message, adapter):
    path, _ = adapter
    (path / "adapter_config.json").write_text(json.dumps(config))
    assert message in fault(lambda: load(path))


def test_an_adapter_saved_as_a_pickle_is_not_read(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "is a PEFT adapter without adapter_model.safetensors" in fault(lambda: load(tmp_path))


def test_a_base_that_changed_since_it_was_trained_from_is_refused(copied):
    ref = ModelRef.of(str(copied))
    marked = ref.model_copy(update={"digest": model_digest(ref, option="--model")})
    load_model(marked, option="--model", dtype=torch.float32)
    model = LlamaForCausalLM.from_pretrained(copied)
    with torch.no_grad():
        model.lm_head.weight[0] = 1
    model.save_pretrained(copied)
    message = fault(lambda: load_model(marked, option="--model", dtype=torch.float32))
    assert "have changed since the model was trained from them" in message


def test_the_digest_of_an_adapter_follows_its_base(folder, adapter):
    path, _ = adapter
    base = shutil.copytree(folder, path.parent / "base")
    config = json.loads((path / "adapter_config.json").read_text()) | {"base_model_name_or_path": "../base"}
    (path / "adapter_config.json").write_text(json.dumps(config))
    before = model_digest(ModelRef.of(str(path)), option="--model")
    (base / "config.json").write_text((base / "config.json").read_text().replace("400", "401"))
    assert model_digest(ModelRef.of(str(path)), option="--model") != before


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert "no such folder" in fault(lambda: load(tmp_path / "none"))
    for name in ("./none", "models/of/mine"):
        assert "no such folder" in fault(lambda name=name: load(name))


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
