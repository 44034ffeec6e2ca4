"""However many rows are held at once, and however shards are cut: the same examples in the same order."""

import pyarrow as pa
import pytest

from flanbuild.artifacts.arrow import read_table
from flanbuild.mix import shards
from flanbuild.sources.sample import SampleSource


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.arrow")}


def rows(folder):
    return pa.concat_tables(read_table(path) for path in sorted(folder.glob("train/*.arrow")))


@pytest.mark.parametrize("at_once", [1, 200, 700])
def test_how_many_rows_are_held_at_once_changes_no_byte(build, tmp_path, monkeypatch, at_once):
    whole = build().mix([]).folder
    monkeypatch.setattr(shards, "ROWS_AT_ONCE", at_once)

    some = build(data=tmp_path / "some").mix([]).folder

    assert files(some) == files(whole)


def test_blocks_that_end_within_a_shard_lose_no_row(build, tmp_path, monkeypatch):
    whole = build().mix([]).folder
    monkeypatch.setattr(shards, "BLOCK_ROWS", 64)

    blocks = build(data=tmp_path / "blocks").mix([]).folder

    assert rows(blocks).equals(rows(whole))


def test_shards_of_a_size_hold_what_one_would_and_keep_within_it(build, tmp_path):
    source = SampleSource(300)
    one = build(source=source, mixture={"shards": 1}).mix([]).folder

    changed = {"source": source, "mixture": {"shard_megabytes": 1}}
    many = build(**changed, data=tmp_path / "many").mix([])

    assert rows(many.folder).equals(rows(one))
    sizes = [shard.bytes for shard in many.manifest.shards["train"]]
    assert len(sizes) > 1
    assert max(sizes) < 1_000_000
