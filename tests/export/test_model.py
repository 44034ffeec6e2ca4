"""A trained model is published with its card, and verifies after a download from the hub."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import toys
from conftest import ROOT
from evaluation_folder import model_run, score_record
from hub_server import Hub
from ruamel.yaml import YAML

from flanbuild.artifacts.records import (
    MANIFEST,
    TRAINING,
    Manifest,
    read_record,
    write_record,
)
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.evaluation.record import MetricScores, TemplateScores
from flanbuild.export.model import ModelRequest, publish_model
from flanbuild.export.provenance import STATEMENT
from flanbuild.export.verification import verify_export
from flanbuild.model.loader import load_model
from flanbuild.model.record import ModelRef, TrainingRecord
from flanbuild.training.run import train

SHORT = replace(toys.TINY, steps=2, log_every=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A mixture of one task that holds out another one, and a small model that was trained on it."""
    place = tmp_path_factory.mktemp("trained")
    rows = [toys.row(i, i % 2) for i in range(48)]
    toys.write_mixture(place / "mixture", rows, rows[:10])
    toys.hold_out(place / "mixture", place / "evaluation", {"rte": (["accuracy"], None)})
    toys.train_on(place / "mixture", "misc", "sounds")
    train(place / "mixture", place / "model", SHORT)
    return place


def write_scores(folder, model):
    """Scores of one held-out task by the weights of `model`."""
    training = read_record(model / TRAINING, TrainingRecord)
    figures = TemplateScores(
        mean=61.25, sd=2.5, best=65, best_template=0, worst=58, worst_template=1, templates=10
    )
    record = score_record(
        mixture=training.mixture,
        models={"tuned": model_run(weights=training.weights, tokenizer=training.tokenizer)},
        scores={"nli": {"rte": {"accuracy": MetricScores(rows=277, tuned=figures, random=50.0)}}},
        seen={},
        metrics={"rte": ("accuracy",)},
    )
    folder.mkdir()
    write_record(folder / "scores.json", record)
    return folder


def published(place, out, model="model", **changed):
    publish_model(ModelRequest(model=place / model, mixture=place / "mixture", **changed), str(out))
    return out


def flip_a_byte(path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def card(folder) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_a_published_model_loads_and_verifies(place, tmp_path):
    folder = published(place, tmp_path / "out")
    assert verify_export(folder) == []
    load_model(ModelRef.of(str(folder)), option="--model", dtype=torch.float32)


def test_the_card_names_base_mixture_datasets_licenses_and_figures(place, tmp_path):
    text = card(published(place, tmp_path / "out", scores=write_scores(tmp_path / "scores", place / "model")))
    digest = read_record(place / "mixture" / MANIFEST, Manifest).digest
    metrics = json.loads((place / "model/metrics.json").read_text())
    assert "# A small model from random weights, tuned on toy with nli held out\n" in text
    assert f"digest `{digest}`" in text
    assert "| sounds | toys/sounds |  | mit | 192 |" in text
    assert f"| validation loss | {metrics['validation_loss']} |" in text
    assert "| nli | rte | accuracy | 277 | 10 | 61.2 (2.5) |  |  | 50.0 |" in text


def test_the_keys_of_the_card_are_those_of_the_hub(place, tmp_path):
    keys = YAML(typ="safe").load(card(published(place, tmp_path / "out")).split("---\n", 2)[1])
    assert keys == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "language": ["en"],
        "tags": ["instruction-tuning", "flanbuild", "arxiv:2109.01652"],
    }


def test_the_same_model_gives_the_same_bytes(place, tmp_path):
    one, two = (published(place, tmp_path / name) for name in ("one", "two"))
    assert (one / "export.json").read_bytes() == (two / "export.json").read_bytes()


def test_the_statement_names_the_mixture(place, tmp_path):
    statement = json.loads((published(place, tmp_path / "out") / STATEMENT).read_text())
    [mixture] = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert mixture["digest"]["sha256"] == read_record(place / "mixture" / MANIFEST, Manifest).digest


def test_a_flipped_byte_of_the_weights_is_one_sentence(place, tmp_path):
    folder = published(place, tmp_path / "out")
    flip_a_byte(folder / "model.safetensors")
    assert verify_export(folder) == [
        f"{folder / 'model.safetensors'}: its bytes are not those that export.json names."
    ]


def test_an_adapter_of_the_small_model_is_published_with_it(place, tmp_path):
    pytest.importorskip("peft")
    train(place / "mixture", place / "adapter", replace(SHORT, lora_rank=2))
    folder = published(place, tmp_path / "out", model="adapter")
    assert "library_name: peft\n" in card(folder)
    assert verify_export(folder) == []
    load_model(ModelRef.of(str(folder)), option="--model", dtype=torch.float32)


def test_an_adapter_of_a_local_model_is_refused(place, tmp_path):
    pytest.importorskip("peft")
    config = replace(SHORT, model=str(place / "model"), lora_rank=2)
    train(place / "mixture", place / "local-adapter", config)
    with pytest.raises(
        DeclarationError, match=r"a local folder that nobody else has; .* or with --lora-merge"
    ):
        published(place, tmp_path / "out", model="local-adapter")


def test_no_path_of_this_machine_is_published(place, tmp_path):
    train(place / "mixture", place / "tuned", replace(SHORT, model=str(place / "model")))
    folder = published(place, tmp_path / "out", model="tuned")
    found = [
        path.name for path in folder.rglob("*") if path.is_file() and str(place).encode() in path.read_bytes()
    ]
    assert found == []
    assert verify_export(folder) == []


def test_another_mixture_other_scores_and_changed_weights_are_one_sentence_each(place, tmp_path):
    other = toys.write_mixture(tmp_path / "other", [toys.row(0, 0)] * 2, [])
    with pytest.raises(ArtifactError, match="not the mixture that the model was trained on, toy"):
        publish_model(ModelRequest(model=place / "model", mixture=other), str(tmp_path / "out"))

    train(place / "mixture", place / "longer", replace(SHORT, steps=3))
    with pytest.raises(ArtifactError, match="the scores are not those of this model's weights"):
        published(place, tmp_path / "out", scores=write_scores(tmp_path / "scores", place / "longer"))

    shutil.copytree(place / "model", place / "damaged")
    flip_a_byte(place / "damaged/model.safetensors")
    with pytest.raises(ArtifactError, match=r"the weights are not those that training.json records"):
        published(place, tmp_path / "out", model="damaged")


@pytest.mark.needs("hub")
def test_a_model_goes_to_the_hub_as_one_commit_and_comes_back_right(place, tmp_path):
    with Hub({}).serving() as hub:
        command = ["publish", place / "model", "hf://me/model", "--mixture", place / "mixture"]
        settings = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_stand_in", "HF_HOME": str(tmp_path / "home")}
        run = subprocess.run(
            [sys.executable, "-m", "flanbuild", *map(str, command)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | settings,
        )
        assert run.returncode == 0, run.stderr
        commits = [request.path for request in hub.requests if "/commit/" in request.path]
        assert commits == ["/api/models/me/model/commit/main"]
        for name, content in hub.repos["me/model"].branches["main"].items():
            path = tmp_path / "downloaded" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert verify_export(tmp_path / "downloaded") == []
