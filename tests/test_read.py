"""Reading a mixture: by index, in order, as a dataset, and in batches that any number of ranks and workers share."""

import pickle
import random
import subprocess
import sys
from itertools import chain

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import row, write_shards

import flanbuild
from flanbuild.artifacts.files import write_json
from flanbuild.errors import ArtifactError, DeclarationError, FlanbuildError

ROWS = [row(number) for number in range(5000)]
needs_torch = pytest.mark.needs("train")
needs_datasets = pytest.mark.needs("hub")
counts = st.integers(1, 4)
sizes = st.sampled_from([7, 64, 500, 1300])
seeds = st.none() | st.integers(0, 9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("reading") / "mixture", ROWS, ROWS[:10])


@pytest.fixture(scope="module")
def examples(folder):
    return flanbuild.load(folder, columns=["row"])


def numbers(batches):
    return [row["row"] for row in chain.from_iterable(batches)]


def in_step(loaders):
    """What the ranks get in each step, in rank order; a rank that has no batch left gets none."""
    running = [iter(loader) for loader in loaders]
    while any(step := [next(batches, []) for batches in running]):
        yield numbers(step)


def test_rows_come_back_by_number_by_slice_and_in_order(folder):
    examples = flanbuild.load(folder)

    assert len(examples) == len(ROWS)
    assert list(examples) == ROWS
    assert [examples[0], examples[2499], examples[-1]] == [ROWS[0], ROWS[2499], ROWS[-1]]
    assert examples[2490:2510] == ROWS[2490:2510]
    assert examples[::-999] == ROWS[::-999]
    assert examples.table.to_pylist() == ROWS
    with pytest.raises(IndexError):
        examples[len(ROWS)]


def test_columns_and_splits_can_be_chosen(folder):
    examples = flanbuild.load(folder, "validation", ["completion", "prompt"])

    assert examples.table.schema.names == ["prompt", "completion"]
    assert list(examples) == [{key: r[key] for key in ("prompt", "completion")} for r in ROWS[:10]]


def test_batches_hold_the_first_rows_in_order(folder):
    examples = flanbuild.load(folder, columns=["row"])

    assert [n for batch in examples.batches() for n in batch["row"].to_pylist()] == list(range(len(ROWS)))
    assert [n for batch in examples.batches(4000) for n in batch["row"].to_pylist()] == list(range(4000))


def test_pickling_takes_the_path_and_not_the_rows(folder):
    examples = flanbuild.load(folder)

    assert len(pickle.dumps(examples)) < 500
    assert pickle.loads(pickle.dumps(examples))[77] == ROWS[77]


def test_importing_flanbuild_imports_nothing_heavy():
    code = "import flanbuild, sys; print({'numpy', 'pyarrow', 'polars', 'torch'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


READING = """
import sys
before = set(sys.modules)
import flanbuild
examples = flanbuild.load(sys.argv[1])
assert examples[7]["row"] == 7 and len(list(examples)) == 5000
names = {name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
print(*sorted(name for name in names if not name.startswith(("_", "cython_"))))
"""
OURS = {"flanbuild", "numpy", "pyarrow", "pydantic", "xxhash"}
THEIRS = {"annotated_types", "pydantic_core", "typing_extensions", "typing_inspection"}  # pydantic's
IF_INSTALLED = {"cloudpickle"}  # pyarrow's


def test_reading_imports_four_packages_and_what_they_need(folder):
    process = subprocess.run(
        [sys.executable, "-c", READING, str(folder)], capture_output=True, text=True, check=True
    )

    assert set(process.stdout.split()) <= OURS | THEIRS | IF_INSTALLED


def test_a_manifest_of_an_earlier_format_is_refused(folder, tmp_path):
    write_json(tmp_path / "manifest.json", {"format": 2, "mixture": {"name": "toy"}})

    with pytest.raises(ArtifactError, match=r"manifest.json: format 2 instead of \d+; this version"):
        flanbuild.load(tmp_path)


def test_faults_of_a_folder_are_one_sentence_each(folder, tmp_path):
    broken = tmp_path / "mixture"
    write_shards(broken, ROWS[:100], ROWS[:10])
    shard = broken / "train" / "00001-of-00002.arrow"

    with pytest.raises(DeclarationError, match=r"no split 'trian'\. Did you mean 'train'"):
        flanbuild.load(folder, "trian")
    with pytest.raises(DeclarationError, match=r"no column 'completions'\. Did you mean 'completion'"):
        flanbuild.load(folder, columns=["completions"])
    with pytest.raises(ArtifactError, match=r"manifest.json: no such file"):
        flanbuild.load(tmp_path)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    with pytest.raises(
        ArtifactError, match=rf"{shard}: found [\d,]+ bytes, the manifest records {len(whole):,}"
    ):
        flanbuild.load(broken)
    shard.write_bytes(bytes(len(whole)))
    with pytest.raises(ArtifactError, match="footer: its bytes are not those that the manifest names"):
        flanbuild.load(broken)
    shard.unlink()
    with pytest.raises(ArtifactError, match=f"{shard}: no such file, but the manifest names it"):
        flanbuild.load(broken)


@needs_torch
@settings(deadline=None)
@given(batch=sizes, ranks=counts, seed=seeds, drop=st.booleans())
def test_in_every_step_the_ranks_together_get_the_next_rows_of_the_order(examples, batch, ranks, seed, drop):
    loaders = [
        examples.loader(batch, rank=rank, world_size=ranks, seed=seed, drop_last=drop)
        for rank in range(ranks)
    ]
    order = loaders[0].order().tolist()
    steps = list(in_step(loaders))

    whole = len(order) // (batch * ranks) * batch * ranks
    assert list(chain.from_iterable(steps)) == order[: whole if drop else None]
    assert all(len(step) == batch * ranks for step in steps[: len(order) // (batch * ranks)])
    assert {loader.epoch for loader in loaders} == {1}


@needs_torch
@settings(deadline=None)
@given(st.data(), sizes, sizes, counts, counts, seeds)
def test_a_run_goes_on_exactly_on_another_number_of_ranks(examples, data, batch, other, ranks, others, seed):
    before = [examples.loader(batch, rank=rank, world_size=ranks, seed=seed) for rank in range(ranks)]
    stop = data.draw(st.integers(1, len(before[0])))
    running = in_step(before)
    seen = [number for _, step in zip(range(stop), running, strict=False) for number in step]
    states = [loader.state_dict() for loader in before]
    assert all(state == states[0] for state in states)

    after = [examples.loader(other, rank=rank, world_size=others, seed=seed) for rank in range(others)]
    for loader in after:
        loader.load_state_dict(states[0])
    rest = list(chain.from_iterable(in_step(after)))

    assert seen + rest == before[0].order().tolist()


@needs_torch
def test_workers_of_torch_give_the_same_batches_and_the_same_state(folder):
    alone = flanbuild.load(folder).loader(300, seed=5, rank=1, world_size=2)
    helped = flanbuild.load(folder).loader(300, seed=5, rank=1, world_size=2, num_workers=2)

    for expected, batch in zip(alone, helped, strict=True):
        assert batch == expected
        assert helped.state_dict() == alone.state_dict()


@needs_torch
def test_a_loop_that_is_left_goes_on_behind_its_last_batch(examples):
    loader = examples.loader(1000, num_workers=1)
    for _ in loader:
        break

    assert loader.state_dict()["position"] == 1000
    assert numbers(loader) == list(range(1000, 5000))


@needs_torch
def test_epochs_differ_by_seed_and_hold_the_same_rows(examples):
    loader = examples.loader(512, seed=1)
    first, second = numbers(loader), numbers(loader)

    assert first != second
    assert sorted(first) == sorted(second) == list(range(5000))
    assert numbers(examples.loader(512)) == list(range(5000))


@needs_torch
def test_length_is_the_number_of_batches_of_an_epoch(examples):
    for ranks in (1, 3):
        for drop in (False, True):
            for rank in range(ranks):
                loader = examples.loader(999, rank=rank, world_size=ranks, drop_last=drop)
                assert len(loader) == sum(1 for _ in loader)


@needs_torch
def test_a_state_of_another_mixture_or_order_is_refused(examples):
    loader = examples.loader(10, seed=1)

    with pytest.raises(DeclarationError, match="the state has seed 2, this loader has 1"):
        loader.load_state_dict(loader.state_dict() | {"seed": 2})
    with pytest.raises(DeclarationError, match="the state has digest abc"):
        loader.load_state_dict(loader.state_dict() | {"digest": "abc"})
    with pytest.raises(DeclarationError, match="found rank 2, world_size 2"):
        examples.loader(10, rank=2, world_size=2)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_shards_read_the_same(tmp_path, compression):
    folder = write_shards(tmp_path / "mixture", ROWS[:100], ROWS[:10], compression)

    examples = flanbuild.load(folder)

    assert list(examples) == [examples[i] for i in range(100)] == ROWS[:100]


def test_readers_of_folders_read_a_split_from_its_folder(folder):
    import polars as pl
    import pyarrow.dataset

    scanned = pl.scan_ipc(folder / "train").collect().to_dicts()
    listed = pyarrow.dataset.dataset(folder / "train", format="arrow").to_table().to_pylist()

    assert scanned == listed == ROWS


@needs_datasets
def test_datasets_reads_a_split_from_its_folder(folder, tmp_path):
    from datasets import load_dataset

    rows = load_dataset(str(folder / "train"), split="train", cache_dir=tmp_path, keep_in_memory=True)

    assert rows.to_list() == ROWS


def test_polars_takes_the_table(folder):
    import polars as pl

    assert pl.from_arrow(flanbuild.load(folder).table).height == len(ROWS)


def addresses(table):
    """Where the values of the prompts lie in memory."""
    return [chunk.buffers()[2].address for chunk in table["prompt"].chunks]


@needs_datasets
def test_a_dataset_has_the_rows_and_the_types_of_the_examples(folder):
    from datasets import List, Value

    dataset = flanbuild.load(folder).to_dataset()

    assert dataset.to_list() == ROWS
    assert dataset.features.arrow_schema.remove_metadata() == flanbuild.load(folder).schema
    assert dataset.features["prompt"] == Value("string")
    assert dataset.features["options"] == List(Value("string"))
    assert str(dataset.split) == "train"


@needs_datasets
def test_a_dataset_is_the_mapped_files_and_not_a_copy(folder):
    examples = flanbuild.load(folder)
    allocated = pa.total_allocated_bytes()

    dataset = examples.to_dataset()

    assert addresses(dataset.data) == addresses(examples.table)
    assert pa.total_allocated_bytes() == allocated


@needs_datasets
def test_the_fingerprint_of_a_dataset_follows_the_mixture_the_split_and_the_columns(folder):
    def fingerprint(*arguments):
        return flanbuild.load(folder, *arguments).to_dataset()._fingerprint

    assert fingerprint() == fingerprint()
    assert len({fingerprint(), fingerprint("validation"), fingerprint("train", ["prompt"])}) == 3


@needs_datasets
def test_making_a_dataset_pickles_no_rows(folder, monkeypatch):
    import datasets.fingerprint

    def refuse(*_):
        raise AssertionError("the rows were pickled to compute a fingerprint")

    examples = flanbuild.load(folder)
    monkeypatch.setattr(datasets.fingerprint.Hasher, "update", refuse)

    assert len(examples.to_dataset()) == len(ROWS)


def test_without_datasets_the_sentence_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)

    with pytest.raises(
        FlanbuildError, match=r"to_dataset\(\) needs datasets: pip install 'flanbuild\[hub\]'"
    ):
        flanbuild.load(folder).to_dataset()


def test_no_flipped_bit_of_a_shard_gives_another_row_or_ends_the_process(tmp_path):
    folder = write_shards(tmp_path / "mixture", ROWS, ROWS[:10])
    rows = list(flanbuild.load(folder))
    shard = folder / "train" / "00000-of-00002.arrow"
    clean = shard.read_bytes()
    random_numbers = random.Random(7)

    for _ in range(60):
        bit = random_numbers.randrange(len(clean) * 8)
        damaged = bytearray(clean)
        damaged[bit // 8] ^= 1 << bit % 8
        shard.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"00000-of-00002.arrow: (footer|batch \d+)"):
            assert list(flanbuild.load(folder)) == rows

    shard.write_bytes(clean)
    assert list(flanbuild.load(folder)) == rows


def test_only_the_batches_that_are_read_are_checked(tmp_path):
    folder = write_shards(tmp_path / "mixture", ROWS, ROWS[:10])
    shard = folder / "train" / "00000-of-00002.arrow"
    data = bytearray(shard.read_bytes())
    second = flanbuild.load(folder).shards[0].edges[1]
    data[second + 1000] ^= 1
    shard.write_bytes(data)

    examples = flanbuild.load(folder)

    assert examples[0]["row"] == 0
    with pytest.raises(ArtifactError, match=r"batch 1 \(rows 2,048 to 2,499\)"):
        examples[2100]
    assert len(flanbuild.load(folder, check=False).table) == 5000
