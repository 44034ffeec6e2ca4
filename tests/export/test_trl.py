"""TRL trains on completions only, whichever layout it reads."""

from pathlib import Path

import pytest
import toys
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export
from flanbuild.read import load

trl = pytest.importorskip("trl", reason="trl is not installed")
pytestmark = [pytest.mark.needs("hub"), pytest.mark.slow]

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
"""A chat template that adds nothing but the end token."""


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(12)]
    return toys.write_mixture(tmp_path_factory.mktemp("mixture") / "toy", rows, rows[:2])


@pytest.fixture(scope="module")
def tokenizer(mixture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    toys.tokenizer(mixture).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def trainer(tokenizer, tmp_path):
    """An SFTTrainer of a tiny model over an exported folder."""

    def make(folder: Path, **options):
        from datasets import load_dataset

        shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        return trl.SFTTrainer(
            model=LlamaForCausalLM(
                LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **shape)
            ),
            args=trl.SFTConfig(
                output_dir=str(tmp_path / "trl"),
                max_steps=2,
                per_device_train_batch_size=2,
                report_to="none",
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                shuffle_dataset=False,
                **options,
            ),
            train_dataset=load_dataset(str(folder), cache_dir=str(tmp_path / "cache"), split="train"),
            processing_class=tokenizer,
        )

    return make


def trained_texts(tokenizer, dataset) -> list[str]:
    """The text of the tokens with loss of each row."""
    return [tokenizer.decode([label for label in row["labels"] if label != -100]) for row in dataset]


def completions(mixture: Path, tokenizer) -> list[str]:
    return [row["completion"] + tokenizer.eos_token for row in load(mixture)]


def test_messages_are_trained_on_the_completion_and_one_end_token(mixture, tokenizer, trainer, tmp_path):
    export(ExportRequest(mixture=mixture), "messages", tmp_path / "messages")
    made = trainer(tmp_path / "messages")
    made.train()
    assert trained_texts(tokenizer, made.train_dataset) == completions(mixture, tokenizer)
    assert all(row["input_ids"].count(tokenizer.eos_token_id) == 1 for row in made.train_dataset)


def test_tokens_are_trained_as_they_are(mixture, tokenizer, trainer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    request = ExportRequest(mixture=mixture, tokenizer=str(tmp_path / "tokenizer"))
    export(request, "tokens", tmp_path / "tokens")
    made = trainer(tmp_path / "tokens")
    made.train()
    assert trained_texts(tokenizer, made.train_dataset) == completions(mixture, tokenizer)


def test_positions_of_packed_sequences_restart_at_each_example(mixture, tokenizer, trainer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    request = ExportRequest(mixture=mixture, tokenizer=str(tmp_path / "tokenizer"), seq_length=64)
    export(request, "packed", tmp_path / "packed")
    made = trainer(
        tmp_path / "packed", padding_free=True, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}
    )
    batch = next(iter(made.get_train_dataloader()))
    ends = batch["input_ids"] == tokenizer.eos_token_id
    starts = batch["position_ids"] == 0
    assert starts[0, 0]
    assert (starts[0, 1:] == ends[0, :-1]).all()
