import os
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import toys
from transformers import AutoTokenizer

from flanbuild.errors import ArtifactError
from flanbuild.model.codec import Codec, Truncation
from flanbuild.model.tokenizer import END, tokenizer_digest
from flanbuild.progress import silent
from flanbuild.read import load
from flanbuild.training.tokens import TokenizedExamples, read_tokens, tokenize

TRUNCATION = Truncation(seq_length=128, prompt_length=1024, completion_length=16)
COLUMNS = ("prompt", "completion")


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    rows[3] |= {"prompt": "word " * 300 + "the end\n", "completion": "long " * 50}
    folder = toys.write_mixture(tmp_path_factory.mktemp("tokens") / "mixture", rows, rows[:10])
    return load(folder, columns=COLUMNS)


@pytest.fixture(scope="module")
def codec(mixture):
    return Codec(toys.tokenizer(mixture.folder), encoder_decoder=False)


@pytest.fixture(scope="module")
def cache(mixture, codec, tmp_path_factory):
    """A cache with the tokens of all rows."""
    folder = tmp_path_factory.mktemp("cache")
    tokenize(mixture, codec, folder, TRUNCATION, rows=40)
    return folder


@pytest.fixture
def examples(mixture, codec, cache):
    return tokenize(mixture, codec, cache, TRUNCATION, rows=40)


def folders(cache: Path) -> list[Path]:
    return sorted(cache.glob("train-*"))


def test_tokens_are_prompt_completion_and_end(examples, codec):
    assert codec.tokenizer.decode(examples.prompt(0)) == toys.row(0, 0)["prompt"]
    assert codec.tokenizer.decode(examples.completion(0)) == f"woof{END}"


def test_a_long_prompt_keeps_its_end_and_its_completion(examples, codec):
    assert codec.decode_text(examples.prompt(3)).endswith("word the end\n")
    assert len(examples.prompt(3)) + len(examples.completion(3)) == TRUNCATION.seq_length


def test_a_truncated_completion_has_no_end_token(examples, codec):
    assert len(examples.completion(3)) == TRUNCATION.completion_length
    assert codec.end not in examples.completion(3)


def test_truncation_is_counted_to_the_token(examples, codec):
    report = examples.report()
    prompt = len(codec.encode_prompts(["word " * 300 + "the end\n"])[0])
    completion = len(codec.encode_completions(["long " * 50])[0])
    assert (report["truncated_prompts"], report["truncated_completions"]) == (1, 1)
    assert report["truncated_prompt_tokens"] == prompt - (128 - 16)
    assert report["truncated_completion_tokens"] == completion - 16


def test_nothing_is_truncated_where_all_fits(cache):
    report = read_tokens(folders(cache)[0], Truncation(2048, 1024, 256), prefix=0).report()
    assert not any(report[name] for name in report if name.startswith("truncated"))


def test_truncation_keeps_all_special_tokens_before_a_prompt(cache):
    whole = read_tokens(folders(cache)[0], replace(TRUNCATION, seq_length=2048), prefix=2)
    short = read_tokens(folders(cache)[0], TRUNCATION, prefix=2)
    assert np.array_equal(short.prompt(3)[:2], whole.prompt(3)[:2])
    assert np.array_equal(short.prompt(3)[2:], whole.prompt(3)[-110:])


def test_border_merges_are_counted_over_all_rows(tmp_path, mixture):
    rows = [toys.row(i, 0) | {"prompt": "ab", "completion": "ab"} for i in range(6)]
    folder = toys.write_mixture(tmp_path / "mixture", rows, rows[:2])
    codec = Codec(toys.sentencepiece("bpe", "first", ["abab"] * 9, vocab_size=40), encoder_decoder=False)
    examples = tokenize(load(folder, columns=COLUMNS), codec, tmp_path / "cache", TRUNCATION, rows=6)
    assert examples.report()["border_merges"] == 6


def test_tokens_are_made_once(mixture, codec, cache):
    before = (folders(cache)[0] / "tokens.bin").stat().st_mtime_ns
    tokenize(mixture, codec, cache, TRUNCATION, rows=40)
    assert (folders(cache)[0] / "tokens.bin").stat().st_mtime_ns == before


def test_another_tokenizer_has_its_own_tokens(mixture, cache, tmp_path):
    other = Codec(toys.tokenizer(mixture.folder, 300), encoder_decoder=False)
    tokenize(mixture, other, tmp_path, TRUNCATION, rows=40)
    assert folders(tmp_path)[0].name != folders(cache)[0].name


def test_encoding_does_not_change_the_identity_of_a_tokenizer(codec):
    before = tokenizer_digest(codec.tokenizer)
    codec.encode_prompts([f"a {END} b"])
    assert tokenizer_digest(codec.tokenizer) == before


def test_no_more_rows_are_taken_than_the_steps_can_use(mixture, codec, tmp_path):
    lengths = tokenize(mixture, codec, tmp_path, TRUNCATION, rows=40, tokens=100).lengths
    assert len(lengths) < 40
    assert lengths[:-1].sum() < 100 <= lengths.sum()


def test_old_tokens_are_deleted(mixture, codec, tmp_path):
    tokenize(mixture, codec, tmp_path, TRUNCATION, rows=20)
    old = folders(tmp_path)
    tokenize(mixture, codec, tmp_path, TRUNCATION, rows=40)
    assert len(folders(tmp_path)) == 1
    assert folders(tmp_path) != old


def tokenize_alone(folder: Path, cache: Path, tokenizer: Path, barrier, results) -> None:
    """What each of several processes does that want the same cache at the same time."""
    codec = Codec(AutoTokenizer.from_pretrained(tokenizer), encoder_decoder=False)
    rows = load(folder, columns=COLUMNS)
    builds: list[str] = []

    def slow(total, description):
        builds.append(description)
        time.sleep(1)
        return silent(total, description)

    barrier.wait(timeout=120)
    examples = tokenize(rows, codec, cache, TRUNCATION, rows=40, progress=slow)
    results.put((len(builds), examples.tokens.tolist()))


def test_of_processes_that_share_a_cache_one_tokenizes_and_the_others_wait(
    mixture, codec, examples, tmp_path
):
    codec.tokenizer.save_pretrained(tmp_path / "tokenizer")
    context = get_context("spawn")
    results, barrier = context.Queue(), context.Barrier(3)
    arguments = (mixture.folder, tmp_path / "cache", tmp_path / "tokenizer", barrier, results)
    processes = [context.Process(target=tokenize_alone, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    builds, tokens = zip(*(results.get(timeout=120) for _ in processes), strict=True)
    for process in processes:
        process.join()
    assert sum(builds) == 1
    assert list(tokens) == [examples.tokens.tolist()] * 3


def test_the_tokenizer_does_not_depend_on_threads(mixture, codec):
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
    assert done.stdout.strip() == tokenizer_digest(codec.tokenizer), done.stderr


def test_a_changed_shard_is_named(tmp_path):
    folder = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0), toys.row(1, 0)], [toys.row(2, 0)])
    shard = folder / "train/00001-of-00002.arrow"
    shard.write_bytes(shard.read_bytes().replace(b"meow", b"woof"))
    with pytest.raises(ArtifactError, match=r"train/00001-of-00002\.arrow: its sha256"):
        load(folder).verify()


def test_a_prompt_without_special_tokens_keeps_its_end_alone():
    examples = TokenizedExamples(np.arange(6), np.array([0, 6]), np.array([4]), np.array([2]), np.array([2]))
    assert examples.prompt(0).tolist() == [2, 3]
    assert examples.completion(0).tolist() == [4, 5]


@pytest.mark.parametrize("tokens", [None, 700])
def test_parts_and_processes_change_no_token(tokens, mixture, codec, cache, tmp_path, monkeypatch):
    from flanbuild.training import tokens as module

    whole = tokenize(mixture, codec, tmp_path / "whole", TRUNCATION, rows=40, tokens=tokens)
    monkeypatch.setattr(module, "_PART_ROWS", 7)
    monkeypatch.setattr(module, "_LEAST_PARTS", 2)
    monkeypatch.setattr(module, "JOBS", 2)
    parts = tokenize(mixture, codec, tmp_path / "parts", TRUNCATION, rows=40, tokens=tokens)
    for name in ("tokens", "starts", "prompts", "kept_prompt", "kept_completion"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name
    assert whole.border_merges == parts.border_merges
    assert [path.name for path in (tmp_path / "parts").rglob("*.npz")] == []


def test_a_range_of_rows_is_read_across_shards_and_batches(mixture):
    rows = mixture.table_of(5, 23).to_pylist()
    assert rows == [dict(mixture[index]) for index in range(5, 23)]
