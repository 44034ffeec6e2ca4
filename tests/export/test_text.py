"""Every layout of text, read by its own reader, has the mixture's rows in their order."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import shards
from hypothesis import given, settings
from hypothesis import strategies as st

from flanbuild.artifacts.arrow import BATCH_ROWS
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export
from flanbuild.read import load

TEXT = ("parquet", "jsonl", "messages", "alpaca", "seq2seq")
IDENTITY = ("task", "dataset", "cluster", "template", "row", "repeat")


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Several record batches per shard, and texts that a careless writer would change."""
    rows = [shards.row(i) for i in range(5 * BATCH_ROWS)]
    rows[0] |= {
        "prompt": 'Is "a\\b" \t<|end|> é 日本 \u2028 {x}?\n\n',
        "completion": " yes \r\n",
        "options": [],
    }
    rows[1] |= {"completion": ""}
    folder = tmp_path_factory.mktemp("text") / "mixture"
    return shards.write_shards(folder, rows, rows[:3])


def exported(mixture: Path, to: str, out: Path, **options) -> Path:
    export(ExportRequest(mixture=mixture, **options), to, out)
    return out


def rows_of(mixture: Path, split: str = "train") -> list[dict]:
    return list(load(mixture, split))


def json_rows(folder: Path) -> list[dict]:
    """The lines of all files, read with the standard library."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.jsonl")))
    return [json.loads(line) for line in text.split("\n")[:-1]]


def identity(row: dict) -> dict:
    return {name: row[name] for name in IDENTITY}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_parquet_read_by_pyarrow_is_the_mixture(mixture, split, tmp_path):
    out = exported(mixture, "parquet", tmp_path / "out")
    table = pq.read_table(out / split)
    assert table.schema.remove_metadata() == load(mixture, split).schema
    assert table.to_pylist() == rows_of(mixture, split)


def test_parquet_read_by_polars_is_the_mixture(mixture, tmp_path):
    out = exported(mixture, "parquet", tmp_path / "out")
    assert pl.scan_parquet(out / "train" / "*.parquet").collect().to_dicts() == rows_of(mixture)


@pytest.mark.needs("hub")
@pytest.mark.parametrize("to", ["parquet", "jsonl"])
def test_datasets_finds_both_splits_in_the_folder(mixture, to, tmp_path):
    from datasets import load_dataset

    out = exported(mixture, to, tmp_path / "out")
    dataset = load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in dataset.items()} == {
        "train": len(load(mixture)),
        "validation": 3,
    }
    assert dataset["train"][0] == rows_of(mixture)[0]


def test_json_lines_are_the_mixture(mixture, tmp_path):
    out = exported(mixture, "jsonl", tmp_path / "out")
    assert json_rows(out / "train") == rows_of(mixture)


def test_json_lines_can_have_other_names(mixture, tmp_path):
    rename = {"prompt": "input", "completion": "output"}
    out = exported(mixture, "jsonl", tmp_path / "out", rename=rename)
    assert json_rows(out / "train") == [
        {rename.get(name, name): value for name, value in row.items()} for row in rows_of(mixture)
    ]


def test_messages_have_the_whole_texts_as_two_turns(mixture, tmp_path):
    out = exported(mixture, "messages", tmp_path / "out")
    for line, row in zip(json_rows(out / "train"), rows_of(mixture), strict=True):
        prompt = {"role": "user", "content": row["prompt"]}
        completion = {"role": "assistant", "content": row["completion"]}
        turns = {"prompt": [prompt], "completion": [completion], "messages": [prompt, completion]}
        assert line == turns | identity(row)


@pytest.mark.parametrize(
    ("to", "names"),
    [("alpaca", ("instruction", "output")), ("seq2seq", ("inputs", "targets"))],
)
def test_both_sides_have_the_names_that_the_reader_knows(mixture, to, names, tmp_path):
    out = exported(mixture, to, tmp_path / "out")
    more = {"input": ""} if to == "alpaca" else {}
    assert json_rows(out / "train") == [
        dict(zip(names, (row["prompt"], row["completion"]), strict=True)) | more | identity(row)
        for row in rows_of(mixture)
    ]


@pytest.mark.parametrize("to", TEXT)
def test_each_shard_is_a_file_and_row_counts_add_up(mixture, to, tmp_path):
    out = tmp_path / "out"
    record = export(ExportRequest(mixture=mixture), to, out)
    assert sorted(Path(name).with_suffix("").as_posix() for name in record.files) == sorted(
        Path(shard.path).with_suffix("").as_posix()
        for split in ("train", "validation")
        for shard in load(mixture, split).shards
    )
    assert {name: split.rows for name, split in record.splits.items()} == {
        "train": 5 * BATCH_ROWS,
        "validation": 3,
    }


@pytest.mark.parametrize("to", TEXT)
def test_bytes_depend_on_no_number_of_jobs_and_no_compression_of_the_shards(mixture, to, tmp_path):
    rows = rows_of(mixture), rows_of(mixture, "validation")
    compressed = shards.write_shards(tmp_path / "lz4", *rows, compression="lz4")
    one = exported(mixture, to, tmp_path / "one", jobs=1)
    two = exported(compressed, to, tmp_path / "two", jobs=3)
    for path in sorted(one.glob("*/*")):
        assert (two / path.relative_to(one)).read_bytes() == path.read_bytes()


ROW = st.builds(
    lambda prompt, completion, options, number: (
        shards.row(number) | {"prompt": prompt, "completion": completion, "options": options}
    ),
    st.text(max_size=20),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
    st.integers(0, 2**40),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, max_size=12), st.lists(ROW, max_size=3))
def test_any_texts_come_back_from_parquet_and_from_json(tmp_path_factory, train, validation):
    folder = tmp_path_factory.mktemp("any")
    mixture = shards.write_shards(folder / "mixture", train, validation)
    parquet = exported(mixture, "parquet", folder / "parquet")
    lines = exported(mixture, "jsonl", folder / "jsonl")
    for split in ("train", "validation"):
        assert pq.read_table(parquet / split).to_pylist() == rows_of(mixture, split)
        assert json_rows(lines / split) == rows_of(mixture, split)


@pytest.mark.parametrize(
    ("rename", "fault"),
    [
        ({"promt": "input"}, "--rename: no column 'promt'. Did you mean 'prompt'?"),
        ({"prompt": "completion"}, "--rename: two columns would have the name 'completion'."),
    ],
)
def test_a_wrong_name_is_one_sentence(mixture, rename, fault, tmp_path):
    with pytest.raises(DeclarationError) as caught:
        exported(mixture, "jsonl", tmp_path / "out", rename=rename)
    assert str(caught.value) == fault
    assert not (tmp_path / "out").exists()


def test_a_damaged_shard_is_not_exported(mixture, tmp_path):
    damaged = shards.write_shards(tmp_path / "mixture", rows_of(mixture), [])
    path = damaged / "train/00001-of-00002.arrow"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"00001-of-00002\.arrow: batch 0"):
        exported(damaged, "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_option_of_another_layout_is_refused(mixture, tmp_path):
    with pytest.raises(DeclarationError, match="--seq-length does not apply to --to jsonl"):
        exported(mixture, "jsonl", tmp_path / "out", seq_length=8)


@pytest.mark.parametrize("to", [to for to in TEXT if to != "parquet"])
def test_no_layout_has_messages_without_prompt_and_completion(mixture, to, tmp_path):
    """TRL would train on the prompt."""
    names = set(json_rows(exported(mixture, to, tmp_path / "out") / "validation")[0])
    assert "messages" not in names or {"prompt", "completion"} <= names
