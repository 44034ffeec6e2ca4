import copy
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import toys

from flanbuild.errors import ArtifactError
from flanbuild.model.tokenizer import leading, tokenizer_digest
from flanbuild.training.mixture import open_mixture
from flanbuild.training.tokens import Truncation, read_examples, tokenize

CUT = Truncation(seq_length=128, prompt_length=1024, completion_length=16)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    rows[3] |= {"prompt": "word " * 300 + "the end\n", "completion": "long " * 50}
    folder = toys.write_mixture(tmp_path_factory.mktemp("tokens") / "mixture", rows, rows[:10])
    return open_mixture(folder)


@pytest.fixture(scope="module")
def tokenizer(mixture):
    return toys.tokenizer(mixture.folder)


@pytest.fixture(scope="module")
def folder(mixture, tokenizer, tmp_path_factory):
    return tokenize(mixture, "train", tokenizer, tmp_path_factory.mktemp("cache"), CUT, rows=40)


def test_tokens_are_prompt_completion_and_end(folder, tokenizer):
    examples = read_examples(folder, CUT, leads=False)
    assert tokenizer.decode(examples.prompt(0)) == toys.row(0, 0)["prompt"]
    assert tokenizer.decode(examples.completion(0)) == "woof<end>"


def test_a_long_prompt_keeps_its_end_and_its_completion(folder, tokenizer):
    examples = read_examples(folder, CUT, leads=False)
    assert tokenizer.decode(examples.prompt(3)).endswith("word the end\n")
    assert len(examples.prompt(3)) + len(examples.completion(3)) == CUT.seq_length


def test_a_cut_completion_has_no_end_token(folder, tokenizer):
    examples = read_examples(folder, CUT, leads=False)
    assert len(examples.completion(3)) == CUT.completion_length
    assert tokenizer.eos_token_id not in examples.completion(3)


def test_what_is_cut_is_counted_to_the_token(folder, tokenizer):
    report = read_examples(folder, CUT, leads=False).report()
    prompt = len(tokenizer("word " * 300 + "the end\n")["input_ids"])
    completion = len(tokenizer("long " * 50)["input_ids"]) + 1
    assert (report["prompts_cut"], report["completions_cut"]) == (1, 1)
    assert report["prompt_tokens_cut"] == prompt - (128 - 16)
    assert report["completion_tokens_cut"] == completion - 16


def test_nothing_is_cut_where_all_fits(folder):
    report = read_examples(folder, Truncation(2048, 1024, 256), leads=False).report()
    assert not any(report[name] for name in report if name.endswith("cut"))


def test_a_cut_keeps_a_leading_token(folder):
    whole = read_examples(folder, replace(CUT, seq_length=2048), leads=True)
    cut = read_examples(folder, CUT, leads=True)
    assert cut.prompt(3)[0] == whole.prompt(3)[0]
    assert np.array_equal(cut.prompt(3)[1:], whole.prompt(3)[-111:])


def test_a_byte_level_tokenizer_has_no_leading_token(tokenizer):
    assert leading(tokenizer) == []


def test_tokens_are_made_once(mixture, tokenizer, folder):
    before = (folder / "tokens.bin").stat().st_mtime_ns
    assert tokenize(mixture, "train", tokenizer, folder.parent, CUT, rows=40) == folder
    assert (folder / "tokens.bin").stat().st_mtime_ns == before


def test_another_tokenizer_has_tokens_of_its_own(mixture, folder, tmp_path):
    assert (
        tokenize(mixture, "train", toys.tokenizer(mixture.folder, 300), tmp_path, CUT, rows=40).name
        != folder.name
    )


def test_no_more_rows_are_read_than_the_steps_can_take(mixture, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("flanbuild.training.mixture._ROWS", 4)
    few = tokenize(mixture, "train", tokenizer, tmp_path, CUT, rows=40, tokens=100)
    lengths = read_examples(few, CUT, leads=False).lengths
    assert len(lengths) < 40
    assert lengths[:-4].sum() < 100 <= lengths.sum()


def test_old_tokens_make_room(mixture, tokenizer, tmp_path):
    old, new = (tokenize(mixture, "train", tokenizer, tmp_path, CUT, rows=rows) for rows in (20, 40))
    assert not old.exists()
    assert new.exists()


def test_a_prompt_is_begun_but_not_ended_by_the_tokenizer(mixture, tokenizer, tmp_path):
    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.bos_token = "<pad>"
    ends = [("<pad>", 0), ("<end>", 1)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<pad> $A <end>", special_tokens=ends
    )
    folder = tokenize(mixture, "train", tokenizer, tmp_path, CUT, rows=2)
    prompt = read_examples(folder, CUT, leads=True).prompt(0)
    assert tokenizer.decode(prompt) == "<pad>" + toys.row(0, 0)["prompt"]


def test_the_tokenizer_does_not_depend_on_threads(mixture, tokenizer):
    code = (
        "import sys, pathlib; sys.path.insert(0, 'tests'); import toys\n"
        "from flanbuild.model.tokenizer import tokenizer_digest\n"
        "print(tokenizer_digest(toys.tokenizer(pathlib.Path(sys.argv[1]))))"
    )
    environment = {
        **os.environ,
        "RAYON_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, mixture.folder], env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == tokenizer_digest(tokenizer), done.stderr


def test_a_changed_shard_is_named(tmp_path):
    folder = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0), toys.row(1, 0)], [toys.row(2, 0)])
    (folder / "train-00001-of-00002.arrow").write_bytes(b"other")
    with pytest.raises(ArtifactError, match=r"train-00001-of-00002\.arrow: sha256"):
        open_mixture(folder)


def test_a_mixture_without_validation_rows_is_refused(tmp_path):
    folder = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0), toys.row(1, 0)], [])
    with pytest.raises(ArtifactError, match=r"shards\.validation: no rows"):
        open_mixture(folder)
