"""Every layout of tokens, read by its own reader, has the mixture's rows with the loss on completions only."""

import gzip
import struct
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DataCollatorForSeq2Seq

from flanbuild.artifacts.records import read_record
from flanbuild.errors import DeclarationError
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.sequences import _gather
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export
from flanbuild.model.codec import Codec
from flanbuild.model.settings import IGNORED
from flanbuild.read import load
from flanbuild.training.tokens import TokenizedExamples

TOKENS = ("tokens", "packed", "megatron", "olmo-core")
SEQ_LENGTH = 64
LONG_PROMPT, LONG_COMPLETION = 3, 5
"""Rows whose prompt is cut, and that are left out."""


@pytest.fixture(scope="module", params=["byte-level", "sentencepiece"])
def codec(request, tmp_path_factory):
    """A tokenizer that puts nothing before a text, and one that puts <s> there and knows pieces with a space."""
    rows = [toys.row(i, i % 2) for i in range(40)]
    folder = toys.write_mixture(tmp_path_factory.mktemp("fit") / "mixture", rows, rows)
    if request.param == "byte-level":
        return Codec(toys.tokenizer(folder), encoder_decoder=False)
    return Codec(toys.sentencepiece("bpe", "first", toys.texts(folder)), encoder_decoder=False)


@pytest.fixture(scope="module")
def tokenizer(codec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    codec.tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    rows = [toys.row(i, i % 2) for i in range(40)]
    rows[LONG_PROMPT] |= {"prompt": "word " * 100 + "the end\n"}
    rows[LONG_COMPLETION] |= {"completion": "long " * 100}
    rows[7] |= {"prompt": "A prompt with </s> and <|flanbuild_end|> inside.\n"}
    return toys.write_mixture(tmp_path_factory.mktemp("mixture") / "toy", rows, rows[8:12])


@pytest.fixture(scope="module")
def exported(mixture, tokenizer, tmp_path_factory):
    """Exports to a layout and returns its folder, once for each layout."""
    folder, done = tmp_path_factory.mktemp("exports"), {}

    def run(to: str) -> Path:
        if to not in done:
            request = ExportRequest(mixture=mixture, tokenizer=tokenizer, seq_length=SEQ_LENGTH)
            export(request, to, folder / to)
            done[to] = folder / to
        return done[to]

    return run


@pytest.fixture(scope="module")
def expected(mixture, codec):
    """(tokens, labels) of each train row that fits, from the codec alone."""
    rows = list(load(mixture))
    pairs = []
    for row in rows:
        (prompt,), (completion,) = (
            codec.encode_prompts([row["prompt"]]),
            codec.encode_completions([row["completion"]]),
        )
        room = SEQ_LENGTH - len(completion)
        if room > len(codec.prefix):
            prompt = codec.truncate(prompt, room)
            pairs.append((prompt + completion, [IGNORED] * len(prompt) + completion))
    return pairs


def megatron(prefix: Path) -> list[list[int]]:
    """The documents of an indexed dataset, read as Megatron-LM's documentation of the index says."""
    index = prefix.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\0\0"
    version, code, sequences, documents = struct.unpack("<QBQQ", index[9:34])
    assert version == 1
    dtype = {1: np.uint8, 4: np.int32, 8: np.uint16}[code]
    lengths = np.frombuffer(index, np.int32, sequences, 34)
    pointers = np.frombuffer(index, np.int64, sequences, 34 + 4 * sequences)
    bounds = np.frombuffer(index, np.int64, documents, 34 + 12 * sequences)
    assert len(index) == 34 + 12 * sequences + 8 * documents
    whole = prefix.with_suffix(".bin").read_bytes()
    read = [np.frombuffer(whole, dtype, n, at).tolist() for n, at in zip(lengths, pointers, strict=True)]
    assert sum(map(len, read)) * np.dtype(dtype).itemsize == len(whole)
    return [list(chain.from_iterable(read[start:end])) for start, end in pairwise(bounds)]


def olmo(folder: Path, split: str, dtype: str) -> list[tuple[list[int], list[bool]]]:
    """(tokens, mask) of each document, cut at the bounds that the file of documents names."""
    found = []
    for path in sorted((folder / split).glob("*.npy")):
        if not path.stat().st_size:
            continue
        tokens = np.memmap(path, dtype, "r")
        mask = np.memmap(folder / f"{split}_label_mask" / path.name, np.bool_, "r")
        for line in gzip.decompress(path.with_suffix(".csv.gz").read_bytes()).decode().splitlines():
            start, end = map(int, line.split(","))
            found.append((tokens[start:end].tolist(), mask[start:end].tolist()))
    return found


def test_tokens_are_those_of_the_codec_with_labels_on_the_completion(exported, expected):
    rows = pq.read_table(exported("tokens") / "train").to_pylist()
    assert [(row["input_ids"], row["labels"]) for row in rows] == expected
    assert all(row["attention_mask"] == [1] * len(row["input_ids"]) for row in rows)


def test_each_row_of_tokens_names_its_example(exported, mixture, codec):
    rows = pq.read_table(exported("tokens") / "train").to_pylist()
    source = list(load(mixture))
    assert [row["example"] for row in rows] == [i for i in range(40) if i != LONG_COMPLETION]
    for row in rows:
        if row["example"] != LONG_PROMPT:
            example = source[row["example"]]
            assert codec.decode_text(row["input_ids"]) == example["prompt"] + example["completion"]


def test_the_end_token_comes_once_and_the_begin_token_at_most_once(exported, codec):
    for row in pq.read_table(exported("tokens") / "train").to_pylist():
        assert row["input_ids"].count(codec.end) == 1
        assert row["input_ids"][-1] == row["labels"][-1] == codec.end
        assert tuple(row["input_ids"][: len(codec.prefix)]) == codec.prefix
        begin = codec.tokenizer.bos_token_id
        assert begin is None or row["input_ids"].count(begin) == len(codec.prefix)


def test_a_prompt_that_is_cut_keeps_its_end_with_the_separator(exported, codec):
    rows = pq.read_table(exported("tokens") / "train").to_pylist()
    (row,) = (row for row in rows if row["example"] == LONG_PROMPT)
    prompt = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label == IGNORED]
    assert len(row["input_ids"]) == SEQ_LENGTH
    assert codec.decode_text(prompt).endswith("the end\n")


@pytest.mark.parametrize("to", TOKENS)
def test_truncation_and_rows_left_out_are_counted(exported, to):
    train = read_record(exported(to) / EXPORT, ExportRecord).splits["train"]
    assert (train.rows, train.left_out, train.truncated_prompts) == (39, 1, 1)
    assert train.truncated_prompt_tokens > 0


@pytest.mark.parametrize("to", TOKENS)
def test_tokens_and_tokens_with_loss_add_up(exported, expected, to):
    train = read_record(exported(to) / EXPORT, ExportRecord).splits["train"]
    assert train.tokens == sum(len(tokens) for tokens, _ in expected)
    assert train.completion_tokens == sum(label != IGNORED for _, labels in expected for label in labels)


def test_packed_sequences_hold_every_example_once_and_none_is_split(exported, expected):
    rows = pq.read_table(exported("packed") / "train").to_pylist()
    order = [i for i in range(40) if i != LONG_COMPLETION]
    found = {}
    for row in rows:
        assert len(row["input_ids"]) == sum(row["seq_lengths"]) <= SEQ_LENGTH
        ends = np.cumsum([0, *row["seq_lengths"]])
        for example, (start, end) in zip(row["examples"], pairwise(ends), strict=True):
            assert row["position_ids"][start:end] == list(range(end - start))
            found[order.index(example)] = (row["input_ids"][start:end], row["labels"][start:end])
    assert [found[i] for i in range(len(expected))] == expected
    record = read_record(exported("packed") / EXPORT, ExportRecord)
    assert record.splits["train"].sequences == len(rows) < len(expected)


def test_megatron_reads_each_example_as_a_document(exported, expected):
    documents, masks = (
        megatron(exported("megatron") / "train"),
        megatron(exported("megatron") / "train_loss_mask"),
    )
    labels = [
        [token if loss else IGNORED for token, loss in zip(tokens, mask, strict=True)]
        for tokens, mask in zip(documents, masks, strict=True)
    ]
    assert list(zip(documents, labels, strict=True)) == expected


def test_olmo_core_reads_tokens_and_mask_of_each_document(exported, expected, codec):
    dtype = np.min_scalar_type(len(codec.tokenizer) - 1)
    documents = olmo(exported("olmo-core"), "train", dtype)
    assert documents == [(tokens, [label != IGNORED for label in labels]) for tokens, labels in expected]


def test_olmo_core_finds_the_same_documents_by_the_end_token(exported, codec):
    dtype = np.min_scalar_type(len(codec.tokenizer) - 1)
    for path in (exported("olmo-core") / "train").glob("*.npy"):
        ends = np.flatnonzero(np.memmap(path, dtype, "r") == codec.end) + 1
        bounds = gzip.decompress(path.with_suffix(".csv.gz").read_bytes()).decode().splitlines()
        assert [int(line.split(",")[1]) for line in bounds] == ends.tolist()


@pytest.mark.needs("hub")
def test_a_collator_of_transformers_pads_rows_as_datasets_gives_them(exported, codec, tmp_path):
    from datasets import load_dataset

    dataset = load_dataset(str(exported("tokens")), cache_dir=str(tmp_path), split="train")
    if codec.tokenizer.pad_token is None:
        codec.tokenizer.pad_token = codec.tokenizer.eos_token
    names = ("input_ids", "attention_mask", "labels")
    batch = DataCollatorForSeq2Seq(codec.tokenizer)(
        [{name: dataset[i][name] for name in names} for i in range(4)]
    )
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()


@pytest.mark.parametrize("to", TOKENS)
def test_the_same_export_has_the_same_bytes(exported, mixture, tokenizer, to, tmp_path):
    export(ExportRequest(mixture=mixture, tokenizer=tokenizer, seq_length=SEQ_LENGTH), to, tmp_path / "out")
    first = {path.relative_to(exported(to)): path.read_bytes() for path in exported(to).rglob("*.*")}
    assert {
        path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")
    } == first


def test_a_layout_of_tokens_needs_a_tokenizer(mixture, tmp_path):
    with pytest.raises(DeclarationError, match="needs --tokenizer"):
        export(ExportRequest(mixture=mixture), "tokens", tmp_path / "out")


def test_a_folder_without_tokenizer_is_one_sentence(mixture, tmp_path):
    with pytest.raises(DeclarationError, match="--tokenizer: no tokenizer in"):
        export(ExportRequest(mixture=mixture, tokenizer=str(mixture)), "tokens", tmp_path / "out")


SIDES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8)


@settings(deadline=None)
@given(SIDES, st.integers(0, 2), st.integers(10, 18), st.data())
def test_blocks_are_what_training_uses_of_each_example(sides, prefix, limit, data):
    prompts, completions = (np.array(side) for side in zip(*sides, strict=True))
    examples = TokenizedExamples(
        tokens=np.arange(int((prompts + completions).sum()), dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum(prompts + completions)]),
        prompts=prompts,
        kept_prompt=np.minimum(prompts, limit - completions),
        kept_completion=completions,
        prefix=prefix,
    )
    rows = np.array(data.draw(st.lists(st.integers(0, len(sides) - 1), min_size=1, max_size=8)))
    block = _gather(examples, rows)
    used = [(examples.prompt(i), examples.completion(i)) for i in rows]
    assert block.tokens.tolist() == [token for pair in used for side in pair for token in side]
    assert block.lengths.tolist() == [len(left) + len(right) for left, right in used]
    assert block.target.tolist() == [
        loss for left, right in used for loss in [False] * len(left) + [True] * len(right)
    ]
