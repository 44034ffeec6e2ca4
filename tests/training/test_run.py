import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    T5Config,
    T5ForConditionalGeneration,
)

from flanbuild.artifacts.records import read_record
from flanbuild.errors import ArtifactError, DeclarationError, ExecutionError, FlanbuildError
from flanbuild.model.record import TrainingRecord
from flanbuild.model.tokenizer import END
from flanbuild.read import load
from flanbuild.training.batches import IGNORED, Batches, packed, padded
from flanbuild.training.config import TrainConfig
from flanbuild.training.models import leak
from flanbuild.training.packing import PackedIndex
from flanbuild.training.run import train
from flanbuild.training.tokens import TokenizedExamples

ROOT = Path(__file__).parents[2]
SHORT = replace(toys.TINY, steps=6, log_every=3)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(192)]
    return toys.write_mixture(tmp_path_factory.mktemp("training") / "mixture", rows, rows[:20])


@pytest.fixture(scope="module")
def model(mixture, tmp_path_factory):
    """A finished run of six steps."""
    out = tmp_path_factory.mktemp("models") / "short"
    train(mixture, out, SHORT)
    return out


@pytest.fixture
def two_examples():
    """[5 6 7 | 8 1] and [9 | 10 11 1] as a mixture's tokens, prompt and completion apart."""
    return TokenizedExamples(
        tokens=np.array([5, 6, 7, 8, 1, 9, 10, 11, 1]),
        starts=np.array([0, 5, 9]),
        prompts=np.array([3, 1]),
        kept_prompt=np.array([3, 1]),
        kept_completion=np.array([2, 3]),
    )


def tiny_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    return LlamaForCausalLM(shape).eval()


def same_weights(left: Path, right: Path) -> bool:
    return (left / "model.safetensors").read_bytes() == (right / "model.safetensors").read_bytes()


def test_a_packed_row_holds_examples_one_after_another(two_examples):
    batch = packed(12, pad=0)(two_examples, [np.array([0, 1])])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 1, 9, 10, 11, 1, 0, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2]]


def test_loss_is_on_completions_only(two_examples):
    batch = packed(12, pad=0)(two_examples, [np.array([0, 1])])
    x = IGNORED
    assert batch["labels"].tolist() == [[x, x, x, 8, 1, x, 10, 11, 1, x, x, x]]
    assert padded(0)(two_examples, [np.array([0]), np.array([1])])["labels"].tolist() == [
        [x, x, x, 8, 1],
        [x, 10, 11, 1, x],
    ]


def test_packed_examples_do_not_see_each_other(two_examples):
    model = tiny_llama()
    batch = packed(12, pad=0)(two_examples, [np.array([0, 1])])
    together = model(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
    ).logits[0, 5:9]
    alone = model(input_ids=torch.tensor([[9, 10, 11, 1]])).logits[0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_model_that_mixes_packed_examples_is_found_out():
    model = tiny_llama()
    assert leak(model) < 1e-4
    assert leak(model, use_cache=True) > 1e-2  # transformers' default: with a cache it derives no block mask


def test_each_epoch_goes_through_all_sequences_in_an_order_of_its_own(two_examples):
    batches = Batches(two_examples, PackedIndex(np.arange(50), np.arange(51)), padded(0), seed=0)
    first, second = ([int(group[0]) for group in batches.groups(at, at + 50)] for at in (0, 50))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_the_folder_opens_in_transformers(model):
    tokenizer = AutoTokenizer.from_pretrained(model)
    logits = AutoModelForCausalLM.from_pretrained(model)(
        **tokenizer("Ann has a dog.", return_tensors="pt")
    ).logits
    assert logits.shape[-1] == len(tokenizer)


def test_metrics_account_for_every_example(model):
    metrics = json.loads((model / "metrics.json").read_text())
    assert metrics["data"]["examples"] == 192
    assert metrics["data"]["packing_efficiency"] > 0.8
    assert metrics["trained"]["examples_not_reached"] == 192 - min(192, metrics["trained"]["examples"])


def test_equal_runs_give_equal_folders(model, mixture, tmp_path):
    train(mixture, tmp_path / "again", SHORT)
    names = sorted(path.name for path in model.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert all(
        (model / n).read_bytes() == (tmp_path / "again" / n).read_bytes()
        for n in names
        if (model / n).is_file()
    )


def test_training_json_records_what_ran(model, mixture):
    record = read_record(model / "training.json", TrainingRecord)
    assert (record.mixture.name, record.mixture.digest) == ("toy", load(mixture).digest)
    assert (record.dtype, record.environment.device, record.environment.processes) == ("float32", "cpu", 1)
    assert record.attention == "sdpa"
    assert record.environment.versions["torch"] == version("torch")
    assert record.data.truncated_prompts == record.data.border_merges == 0
    assert record.data.model_dump() == json.loads((model / "metrics.json").read_text())["data"]


def test_a_base_model_given_by_a_relative_path_is_found_from_any_folder(
    mixture, model, tmp_path, monkeypatch
):
    shutil.copytree(model, tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    train(mixture, Path("out/tuned"), replace(SHORT, model="base", steps=1))
    monkeypatch.chdir("/")
    base = read_record(tmp_path / "out/tuned/training.json", TrainingRecord).base
    assert base.name == "../../base"
    resolved = base.resolved(tmp_path / "out/tuned")
    assert Path(resolved.name).samefile(tmp_path / "base")
    assert Path(resolved.tokenizer).samefile(tmp_path / "out/tuned")


def test_weights_that_the_files_lack_are_not_invented(mixture, model, tmp_path):
    shape = LlamaConfig.from_pretrained(model, tie_word_embeddings=False)
    LlamaModel(shape).save_pretrained(tmp_path / "headless")
    with pytest.raises(DeclarationError, match=r"missing: lm_head\.weight"):
        train(
            mixture, tmp_path / "out", replace(SHORT, model=str(tmp_path / "headless"), tokenizer=str(model))
        )


def test_a_mixture_without_validation_rows_is_refused(tmp_path):
    folder = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0), toys.row(1, 0)], [])
    with pytest.raises(ArtifactError, match=r"shards\.validation: no rows"):
        train(folder, tmp_path / "out", SHORT)


def test_a_damaged_shard_stops_training(tmp_path):
    folder = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0), toys.row(1, 0)], [toys.row(2, 0)])
    shard = folder / "validation/00000-of-00001.arrow"
    shard.write_bytes(shard.read_bytes().replace(b"moo", b"mew"))
    with pytest.raises(ArtifactError, match=r"validation/00000-of-00001\.arrow: its sha256"):
        train(folder, tmp_path / "out", SHORT)


def test_a_validation_loss_that_is_no_number_stops_the_run(mixture, tmp_path, monkeypatch):
    from flanbuild.training import loop

    def nan(self, micro_batch):
        return torch.tensor(float("nan"))

    validate = loop._Stepper.validate

    def validate_nan(self):
        monkeypatch.setattr(loop._Stepper, "_loss", nan)
        return validate(self)

    monkeypatch.setattr(loop._Stepper, "validate", validate_nan)
    with pytest.raises(ExecutionError, match="the validation loss is nan"):
        train(mixture, tmp_path / "out", SHORT)


def test_the_untuned_model_is_kept(model):
    untuned, tuned = (load_file(model / place / "model.safetensors") for place in ("untuned", "."))
    assert untuned.keys() == tuned.keys()
    assert any(not torch.equal(untuned[name], tuned[name]) for name in tuned)


def test_a_killed_run_goes_on_to_the_same_weights_and_losses(mixture, tmp_path):
    config = replace(SHORT, steps=40, save_every=3)
    train(mixture, tmp_path / "whole", config)
    _train_until_killed(mixture, tmp_path / "killed", config)
    assert not (tmp_path / "killed").exists()
    train(mixture, tmp_path / "killed", config)
    assert same_weights(tmp_path / "whole", tmp_path / "killed")
    assert (tmp_path / "whole/log.csv").read_text() == (tmp_path / "killed/log.csv").read_text()
    assert not (tmp_path / ".work/killed/checkpoint").exists()


def _train_until_killed(mixture: Path, out: Path, config: TrainConfig) -> None:
    settings = [
        f"--{name}={value}" for name, value in vars(config).items() if not isinstance(value, bool | None)
    ]
    command = [sys.executable, "-m", "pipeline.train", "--mixture", mixture, "--out", out, *settings]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    checkpoint = out.parent / ".work" / out.name / "checkpoint" / "state.json"
    while not checkpoint.exists():
        assert process.poll() is None, "the run ended before its first checkpoint"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_a_checkpoint_restores_each_optimizer(optimizer, mixture, tmp_path, monkeypatch):
    from flanbuild.training import loop

    config = replace(SHORT, steps=8, save_every=4, optimizer=optimizer)
    train(mixture, tmp_path / "whole", config)
    step = loop._Stepper.step

    def dies(self, number, micro_batches):
        if number == 6:
            raise KeyboardInterrupt
        return step(self, number, micro_batches)

    monkeypatch.setattr(loop._Stepper, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        train(mixture, tmp_path / "stopped", config)
    monkeypatch.undo()
    train(mixture, tmp_path / "stopped", config)
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")


def test_a_checkpoint_of_other_settings_stops_the_run_and_is_kept(mixture, tmp_path, monkeypatch):
    from flanbuild.training import loop

    step = loop._Stepper.step

    def dies(self, number, micro_batches):
        if number == 4:
            raise KeyboardInterrupt
        return step(self, number, micro_batches)

    monkeypatch.setattr(loop._Stepper, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        train(mixture, tmp_path / "run", replace(SHORT, save_every=2))
    state = tmp_path / ".work/run/checkpoint/state.json"
    before = state.read_bytes()
    with pytest.raises(DeclarationError, match=r"other settings \(seed 0 → 1, steps 6 → 7\)"):
        train(mixture, tmp_path / "run", replace(SHORT, save_every=2, steps=7, seed=1))
    assert state.read_bytes() == before


def test_a_checkpoint_of_another_version_is_not_guessed_at(tmp_path):
    from flanbuild.training.checkpoints import Checkpoints

    (tmp_path / "state.json").write_text('{"run": "0123"}')
    with pytest.raises(DeclarationError, match="another version of flanbuild"):
        Checkpoints(tmp_path, {"steps": 6}).check()


def test_pieces_of_a_step_add_up_to_the_step(mixture, tmp_path, model):
    train(mixture, tmp_path / "pieces", replace(SHORT, gradient_accumulation=4))
    whole, pieces = (load_file(folder / "model.safetensors") for folder in (model, tmp_path / "pieces"))
    assert all(torch.allclose(whole[name], pieces[name], atol=1e-4) for name in whole)


def test_unpacked_training_reaches_a_loss_too(mixture, tmp_path):
    train(mixture, tmp_path / "padded", replace(SHORT, packing=False))
    metrics = json.loads((tmp_path / "padded/metrics.json").read_text())
    assert metrics["data"]["sequences"] == 6 * 8  # no more than six steps take
    assert metrics["validation_loss"] < 6


def test_an_encoder_decoder_trains_unpacked(mixture, model, tmp_path):
    folder = tmp_path / "t5"
    tokenizer = AutoTokenizer.from_pretrained(model)
    shape = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.raises(DeclarationError, match="encoder-decoder"):
        train(mixture, tmp_path / "out", replace(SHORT, model=str(folder)))
    train(mixture, tmp_path / "out", replace(SHORT, model=str(folder), packing=False))
    losses = [float(line.split(",")[1]) for line in (tmp_path / "out/log.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]


def test_a_named_model_starts_from_its_own_weights(mixture, model, tmp_path):
    train(mixture, tmp_path / "named", replace(SHORT, model=str(model), steps=1, learning_rate=1e-9))
    base = read_record(tmp_path / "named/training.json", TrainingRecord).base
    assert (base.kind, base.name, base.tokenizer) == ("folder", str(model), ".")
    named, start = (load_file(folder / "model.safetensors") for folder in (tmp_path / "named", model))
    assert all(torch.allclose(named[name], start[name], atol=1e-6) for name in start)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "/no/such/model"}, "train.model: '/no/such/model' cannot be read: no such folder"),
        (
            {"model": "/no/such/model", "tokenizer": "trained"},
            "'/no/such/model' cannot be read: no such folder",
        ),
        (
            {"tokenizer": "/no/such/tokenizer"},
            "train.tokenizer: '/no/such/tokenizer' cannot be read: no such folder",
        ),
        ({"batch": 8, "gradient_accumulation": 3}, "8 sequences cannot be divided"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(change, message, mixture, tmp_path):
    with pytest.raises(FlanbuildError) as caught:
        train(mixture, tmp_path / "out", replace(SHORT, **change))
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_the_run(mixture, tmp_path):
    with pytest.raises(ExecutionError, match="learning_rate may be too high"):
        train(mixture, tmp_path / "out", replace(SHORT, steps=30, learning_rate=1e30, clip=1e30))


def test_settings_are_checked_together():
    with pytest.raises(DeclarationError) as caught:
        TrainConfig(steps=0, optimizer="adam", batch="many")
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "train.batch",
        "train.steps",
        "train.optimizer",
    ]


def test_a_sequence_must_hold_a_prompt_beside_a_completion():
    with pytest.raises(DeclarationError, match="leave no room for a prompt"):
        TrainConfig(seq_length=128, completion_length=128)


def test_importing_training_loads_no_torch():
    code = "import sys, flanbuild.training.run, flanbuild.evaluation.run, flanbuild.report.report; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode
        == 0
    )


def test_trl_trains_on_the_shards_as_they_are(mixture, model, tmp_path):
    datasets, trl = pytest.importorskip("datasets"), pytest.importorskip("trl")
    rows = datasets.load_dataset(
        "arrow", data_files=str(mixture / "train/*.arrow"), split="train", cache_dir=str(tmp_path)
    )
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "sft"),
        max_steps=3,
        per_device_train_batch_size=2,
        report_to=[],
        bf16=False,
        use_cpu=True,
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    trainer = trl.SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    learnt = [tokenizer.decode(labels[labels != IGNORED]) for labels in batch["labels"]]
    assert all(text.removesuffix(END) in toys.SOUNDS.values() and text.endswith(END) for text in learnt)
    assert trainer.train().global_step == 3


@pytest.mark.slow
def test_two_processes_learn_what_one_does(mixture, model, tmp_path):
    settings = [
        f"--{name}={value}" for name, value in vars(SHORT).items() if not isinstance(value, bool | None)
    ]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launch, "-m", "pipeline.train", "--mixture", mixture, "--out", tmp_path / "two", *settings]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    one, two = (
        np.loadtxt(folder / "log.csv", delimiter=",", skiprows=1) for folder in (model, tmp_path / "two")
    )
    assert np.allclose(one, two, atol=1e-4)
