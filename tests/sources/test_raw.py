"""Writing raw rows: row groups by rows and bytes, and reasons for splits that end empty."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_world import fewer_rows, parquet

from flanbuild.errors import SourceError
from flanbuild.sample import sample_table
from flanbuild.sources import raw
from flanbuild.sources.mirror import MirrorSource

ANSWERS = pa.schema(
    [("text", pa.string()), ("answers", pa.list_(pa.struct([("a", pa.string()), ("n", pa.int64())])))]
)


def table_of(rows: int) -> pa.Table:
    values = [{"text": f"row {i}", "answers": [{"a": "x" * (i % 50), "n": i}] * (i % 3)} for i in range(rows)]
    return pa.Table.from_pylist(values, ANSWERS)


@pytest.mark.parametrize("limit", [1000, 5000, 10**6])
def test_row_groups_end_by_bytes_wherever_the_tables_are_cut(limit, monkeypatch):
    """Arrow's offsets in a list end at 2 GiB; here at a small limit."""
    monkeypatch.setattr(raw, "_GROUP_BYTES", limit)
    table = table_of(500)

    groups = list(raw._regrouped([table], ANSWERS))
    others = list(raw._regrouped([table.slice(i, 7) for i in range(0, 500, 7)], ANSWERS))

    assert pa.concat_tables(groups).equals(table)
    assert [group.num_rows for group in groups] == [group.num_rows for group in others]
    assert all(raw._text_bytes(group) <= limit or group.num_rows == 1 for group in groups)
    assert (len(groups) > 1) == (limit < 10**6)


def test_a_split_without_rows_is_a_fault_that_names_its_files(tasks, tmp_path):
    task = fewer_rows(tasks["copa"])
    folder = tmp_path / "mirror" / "aps" / "super_glue" / "copa"
    folder.mkdir(parents=True)
    for split in task.upstream_splits():
        table = sample_table(task, split, rows=5)
        (folder / f"{split}-00000-of-00001.parquet").write_bytes(parquet(table.slice(0, 0)))

    with pytest.raises(
        SourceError, match=r"copa.yaml: splits: mirror .* split 'train' has no row: copa/train-00000"
    ):
        raw.download(task, MirrorSource(tmp_path / "mirror"), "error", tmp_path)


def test_a_mirror_whose_name_looks_like_a_pattern_is_that_folder(tasks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = fewer_rows(tasks["copa"])
    for name, rows in (("m[1]", 5), ("m1", 3), ("~", 4)):
        folder = tmp_path / name / "aps" / "super_glue" / "copa"
        folder.mkdir(parents=True)
        for split in task.upstream_splits():
            table = sample_table(task, split, rows=9).slice(0, rows)
            (folder / f"{split}-00000-of-00001.parquet").write_bytes(parquet(table))
        out = tmp_path / f"raw {rows}"
        out.mkdir()

        raw.download(task, MirrorSource(name), "error", out)

        assert pq.read_table(out / "train.parquet").num_rows == rows


def test_files_of_a_layout_in_place_of_declared_ones_are_mentioned(tasks, tmp_path, caplog):
    caplog.set_level("INFO", "flanbuild")
    task = fewer_rows(tasks["copa"], files={"train": ("nothing-*.csv",)})
    folder = tmp_path / "mirror" / "aps" / "super_glue" / "copa"
    folder.mkdir(parents=True)
    (folder / "train-00000-of-00001.parquet").write_bytes(parquet(sample_table(task, "train", rows=5)))

    assert MirrorSource(tmp_path / "mirror").split(task, "train")
    assert "no file matches nothing-*.csv of source.files.train; copa/train-00000" in caplog.text
