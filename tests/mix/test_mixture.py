"""What is in a mixture, what is not, and that its bytes depend on nothing else."""

import os
import subprocess
import sys
from collections import Counter, defaultdict

import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from conftest import ROOT, SMALL
from few import few

from flanbuild.artifacts.arrow import TRAIN_SCHEMA, read_table
from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.declare.mixture import Size, hold_out
from flanbuild.errors import DeclarationError
from flanbuild.mix import mixture


def examples(folder, split="train"):
    return pa.concat_tables(read_table(path) for path in sorted(folder.glob(f"{split}-*.arrow"))).to_pylist()


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def everything(data):
    """All files of raw, rendered and mixed data."""
    return {path.relative_to(data): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


def test_each_task_gives_what_the_plan_says(build):
    folder, record, _ = build().mix(["commonsense"])
    shares, _ = build().plan(["commonsense"])
    given = Counter(row["task"] for row in examples(folder))

    assert given == {share.task: share.count for share in shares if share.count}
    assert given == {name: task["given"] for name, task in record["tasks"].items() if task["given"]}


def test_rows_are_used_up_before_any_is_repeated_and_then_under_another_template(build):
    folder, _, _ = build().mix([])
    times, templates = defaultdict(list), defaultdict(list)
    for row in examples(folder):
        times[row["task"], row["row"]].append(row["repeat"])
        templates[row["task"], row["row"]].append(row["template"])

    assert all(sorted(repeats) == list(range(len(repeats))) for repeats in times.values())
    assert all(len(set(used)) == len(used) for used in templates.values())
    by_task = defaultdict(set)
    for (task, _), repeats in times.items():
        by_task[task].add(len(repeats))
    assert all(max(counts) - min(counts) <= 1 for counts in by_task.values())


@pytest.mark.parametrize("cluster", sorted(path.name for path in (ROOT / "mixtures" / "tasks").iterdir()))
def test_no_row_of_a_held_out_cluster_or_its_related_ones_is_in_a_shard(build, flan2021, cluster, tasks):
    folder, record, _ = build().mix([cluster])
    out = set(hold_out(flan2021, [cluster], tasks.values()))

    inside = {row["cluster"] for split in ("train", "validation") for row in examples(folder, split)}

    assert inside == {tasks[name].cluster for name in SMALL} - out
    for name, task in record["tasks"].items():
        assert bool(task["out"]) == (tasks[name].cluster in out)
    assert {name: bool(held["asked"]) for name, held in record["held_out"].items()} == {
        c: c == cluster for c in out
    }


def test_held_out_evaluation_files_are_named_with_their_digests(build):
    made = build()
    _, record, _ = made.mix(["nli"])
    said = record["held_out"]["nli"]["tasks"]["rte"]["evaluation"]

    assert sha256_of(made.rendered / said["path"]) == said["sha256"]
    assert said["rows"] == 5 * 9


def test_validation_rows_are_not_trained_on(build):
    folder, _, _ = build().mix([])
    train = {(row["task"], row["row"]) for row in examples(folder)}
    same_upstream = {"rte", "copa", "sst2", "arc/easy", "squad/v2", "mrpc"}

    assert not train & {
        (r["task"], r["row"]) for r in examples(folder, "validation") if r["task"] in same_upstream
    }


def test_leaving_a_task_out_moves_no_row_of_another(build):
    whole, _, _ = build().mix([])
    few = build(mixture={"tasks": tuple(name for name in SMALL if name != "mrpc"), "name": "few"})
    rest, _, _ = few.mix([])

    def keep(rows):
        return [row for row in rows if row["task"] != "mrpc"]

    assert keep(examples(whole)) == examples(rest)


def test_the_order_is_mixed(build):
    folder, _, _ = build().mix([])
    first = Counter(row["task"] for row in examples(folder)[:120])

    assert len(first) == len(SMALL)


def test_a_size_in_examples_is_met_exactly(build):
    folder, record, _ = build(mixture={"size": Size(examples=221)}).mix([])

    assert len(examples(folder)) == record["rows"]["train"] == 221


def test_a_size_that_would_repeat_a_wording_is_refused_with_what_to_write(build):
    with pytest.raises(DeclarationError, match=r"size: rte is asked for .* set size.templates_per_row to 10"):
        build(mixture={"size": Size(examples=20_000)}).mix([])

    _, record, _ = build(mixture={"size": Size(examples=20_000, templates_per_row=10)}).mix([])
    assert record["rows"]["train"] == 20_000


def test_holding_out_everything_is_refused(build):
    with pytest.raises(DeclarationError, match="no task is left to train on"):
        build(mixture={"tasks": ("rte",)}).mix(["nli"])


def test_shards_have_the_declared_schema_and_nothing_that_trainers_react_to(build):
    folder, _, _ = build().mix([])

    for path in folder.glob("*.arrow"):
        schema = read_table(path).schema
        assert schema == TRAIN_SCHEMA
        assert not {"text", "input_ids", "labels", "messages"} & set(schema.names)


def test_prompt_ends_with_the_joiner_and_completion_is_the_target(build):
    folder, _, _ = build().mix([])

    for row in examples(folder):
        assert row["prompt"].endswith("\n")
        assert row["completion"].strip()


def test_bytes_depend_on_no_folder_number_of_workers_threads_or_hash_seed(tmp_path):
    built = []
    runs = [("threads", 1, "1"), ("threads", 2, "2"), ("processes", 2, "2"), ("processes", 4, "1")]
    for seed, (kind, jobs, threads) in enumerate(runs):
        data = tmp_path / f"folder{seed}" / "data"
        command = [sys.executable, ROOT / "tests" / "few.py", data, kind, jobs]
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "POLARS_MAX_THREADS": threads}
        subprocess.run(list(map(str, command)), check=True, env=environment, stdout=subprocess.DEVNULL)
        built.append(everything(data))

    assert all(files == built[0] for files in built)


def test_dask_workers_write_the_same_bytes(tmp_path, dask):
    few(tmp_path / "here").mix(["nli"])
    few(tmp_path / "there", scheduler=dask).mix(["nli"])

    assert everything(tmp_path / "here") == everything(tmp_path / "there")


def test_the_digest_of_a_mixture_is_golden(build):
    # The same declarations give the same rows for ever; a change here is a breaking change for every user.
    _, record, _ = build().mix(["nli"])
    rows = [file["rows_xxh128"] for split in record["shards"].values() for file in split]

    assert digest_of(rows)[:16] == (ROOT / "tests" / "golden" / "mixture.digest").read_text().strip()


@pytest.fixture
def folder(build):
    return build().mix([])[0]


@pytest.mark.needs("hub")
def test_datasets_loads_the_folder(folder, tmp_path):
    import datasets

    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))

    assert {split: list(rows)[:3] for split, rows in loaded.items()} == {
        split: examples(folder, split)[:3] for split in ("train", "validation")
    }


@pytest.mark.needs("hub")
def test_datasets_loads_the_files(folder, tmp_path):
    import datasets

    files = [str(path) for path in sorted(folder.glob("train-*.arrow"))]
    loaded = datasets.load_dataset("arrow", data_files=files, cache_dir=str(tmp_path / "cache"))

    assert list(loaded["train"])[-1] == examples(folder)[-1]


def test_polars_scans_the_files(folder):
    assert pl.scan_ipc(folder / "train-*.arrow").collect().to_dicts() == examples(folder)


def test_pyarrow_dataset_reads_the_files(folder):
    files = sorted(map(str, folder.glob("train-*.arrow")))

    assert pa.dataset.dataset(files, format="arrow").to_table().to_pylist() == examples(folder)


def test_a_task_may_have_no_train_split(tasks, build):
    made = build(
        tasks={name: tasks[name] for name in ("wsc273/wsc273", "rte")}, mixture={"tasks": ("wsc273", "rte")}
    )

    _, record, _ = made.mix([])

    assert record["tasks"]["wsc273/wsc273"]["out"] == "evaluation only: the page has no train split"


def test_only_numbers_are_sorted(build):
    """A plan reads no prompt: keys and counts alone order a mixture."""
    made = build()
    made.render()
    shares = mixture.plan(made.mixture, made.records(), {}, {})

    assert sum(share.share for share in shares) == 1
