"""The model that training starts from: a GGUF file, an adapter, an instruct model; and what identifies it."""

import json
from dataclasses import replace

import pytest
import toys
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from flanbuild.artifacts.records import read_record
from flanbuild.errors import DeclarationError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.record import ScoreRecord
from flanbuild.evaluation.run import evaluate
from flanbuild.model.record import TrainingRecord
from flanbuild.training.base import base_identity
from flanbuild.training.run import train

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHORT = replace(toys.TINY, steps=2, log_every=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A mixture with a held-out task, and an instruct model."""
    place = tmp_path_factory.mktemp("base")
    rows = [toys.row(i, i % 2) for i in range(96)]
    toys.write_mixture(place / "mixture", rows, rows[:10])
    ranked = [toys.evaluation_row(i, t) for i in range(60, 66) for t in (0, 1)]
    toys.hold_out(place / "mixture", place / "evaluation", {"rte": (["accuracy"], ranked)})
    tokenizer = toys.tokenizer(place / "mixture")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), **shape)
    LlamaForCausalLM(config).save_pretrained(place / "base")
    tokenizer.save_pretrained(place / "base")
    return place


def scores(place, model) -> ScoreRecord:
    evaluate(model, place / "mixture", place / "evaluation", place / "report", EvaluateConfig())
    return read_record(place / "report/scores.json", ScoreRecord)


def test_a_gguf_file_is_trained_and_evaluated_beside_its_untuned_self(place):
    pytest.importorskip("gguf")
    from gguf_file import write_gguf

    file = place / "base.gguf"
    write_gguf(
        file, LlamaForCausalLM.from_pretrained(place / "base"), AutoTokenizer.from_pretrained(place / "base")
    )
    train(place / "mixture", place / "from-gguf", replace(SHORT, model=str(file)))

    base = read_record(place / "from-gguf/training.json", TrainingRecord).base
    assert (base.kind, base.name, base.tokenizer) == ("folder", str(file), ".")
    record = scores(place, place / "from-gguf")
    assert list(record.models["untuned"].weights) == ["base.gguf"]
    assert record.scores["nli"]["rte"]["accuracy"].untuned is not None


def test_a_base_that_changed_after_training_is_not_scored_as_the_untuned_model(place):
    model = LlamaForCausalLM.from_pretrained(place / "base")
    model.save_pretrained(place / "moving")
    AutoTokenizer.from_pretrained(place / "base").save_pretrained(place / "moving")
    train(place / "mixture", place / "tuned", replace(SHORT, model=str(place / "moving")))
    weights = load_file(place / "moving/model.safetensors")
    save_file(
        {name: value * 2 for name, value in weights.items()},
        place / "moving/model.safetensors",
        {"format": "pt"},
    )

    record = scores(place, place / "tuned")
    assert "have changed since the model was trained from them" in record.not_asked["untuned"]
    assert record.scores["nli"]["rte"]["accuracy"].untuned is None


def test_a_checkpoint_of_another_base_is_not_continued(place, monkeypatch):
    from flanbuild.training import loop

    def dies(self):
        raise KeyboardInterrupt

    config = replace(SHORT, model=str(place / "base"), save_every=1)
    monkeypatch.setattr(loop._Stepper, "validate", dies)
    with pytest.raises(KeyboardInterrupt):
        train(place / "mixture", place / "stopped", config)
    monkeypatch.undo()
    state = place / ".work/stopped/checkpoint/state.json"
    value = json.loads(state.read_text())
    value["run"]["model digest"] = "0" * 64
    state.write_text(json.dumps(value))
    with pytest.raises(DeclarationError, match="model digest 000000000000… → "):
        train(place / "mixture", place / "stopped", config)


def test_prompts_in_the_chat_template_are_trained_and_evaluated_alike(place, caplog):
    caplog.set_level("INFO")
    train(place / "mixture", place / "chat", replace(SHORT, model=str(place / "base"), template="chat"))
    record = scores(place, place / "chat")
    assert record.config["template"] == "chat"
    assert not [line for line in caplog.messages if "chat template" in line]


def test_an_instruct_model_trained_without_its_template_is_said_once(place, caplog):
    caplog.set_level("INFO")
    train(place / "mixture", place / "plain", replace(SHORT, model=str(place / "base")))
    assert scores(place, place / "plain").config["template"] == "none"
    assert len([line for line in caplog.messages if "has a chat template" in line]) == 1


def test_the_identity_follows_weights_and_not_the_place(place, tmp_path):
    LlamaForCausalLM.from_pretrained(place / "base").save_pretrained(tmp_path / "copy")
    one, two = (
        base_identity(replace(SHORT, model=str(path))) for path in (place / "base", tmp_path / "copy")
    )
    weights = load_file(tmp_path / "copy/model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, tmp_path / "copy/model.safetensors")
    assert one == two != base_identity(replace(SHORT, model=str(tmp_path / "copy")))


def test_a_small_model_has_no_identity_but_its_tokenizer_may(place):
    assert base_identity(SHORT) == {}
    identity = base_identity(replace(SHORT, tokenizer=str(place / "base")))
    assert "tokenizer/tokenizer.json" in identity
    assert "tokenizer/model.safetensors" not in identity
