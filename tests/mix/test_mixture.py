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
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of
from flanbuild.declare.mixture import Size, hold_out
from flanbuild.errors import DeclarationError


def examples(folder, split="train"):
    return pa.concat_tables(read_table(path) for path in sorted(folder.glob(f"{split}/*.arrow"))).to_pylist()


def everything(data):
    """All files of all artifacts: raw, rendered and mixed."""
    paths = [path.relative_to(data) for path in sorted(data.rglob("*")) if path.is_file()]
    return {
        path: (data / path).read_bytes() for path in paths if not any(p.startswith(".") for p in path.parts)
    }


def test_each_task_gives_what_the_plan_says(build):
    allocations, _ = build().plan(["commonsense"])
    built = build().mix(["commonsense"])
    given = Counter(row["task"] for row in examples(built.folder))

    assert given == {entry.task: entry.count for entry in allocations if entry.count}
    assert given == {name: task.given for name, task in built.manifest.tasks.items() if task.given}


def test_rows_are_used_up_before_any_is_repeated_and_then_under_another_template(build):
    folder = build().mix([]).folder
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
    built = build(tasks=tasks).mix([cluster])
    out = set(hold_out(flan2021, [cluster], tasks.values()))

    inside = {row["cluster"] for split in ("train", "validation") for row in examples(built.folder, split)}

    assert inside == {tasks[name].cluster for name in SMALL} - out
    for name, task in built.manifest.tasks.items():
        assert bool(task.out) == (tasks[name].cluster in out)
    assert {name: group.asked for name, group in built.manifest.held_out.items()} == {
        c: c == cluster for c in out
    }


def test_held_out_tasks_are_named_with_the_digest_of_their_raw_rows(build):
    made = build()
    task = made.mix(["nli"]).manifest.held_out["nli"].tasks["rte"]

    assert task.source_digest == made.evaluation_sets(["rte"])["rte"].source.digest
    assert task.has_test


def test_a_held_out_task_that_the_mixture_never_trains_on_is_held_out_all_the_same(build):
    manifest = build(mixture={"tasks": ("copa", "sst2")}).mix(["nli"]).manifest

    assert "rte" not in manifest.tasks
    assert "rte" in manifest.held_out["nli"].tasks


def test_validation_rows_are_not_trained_on(build):
    folder = build().mix([]).folder
    train = {(row["task"], row["row"]) for row in examples(folder)}
    same_upstream = {"rte", "copa", "sst2", "arc/easy", "squad/v2", "mrpc"}

    assert not train & {
        (r["task"], r["row"]) for r in examples(folder, "validation") if r["task"] in same_upstream
    }


def test_leaving_a_task_out_moves_no_row_of_another(build):
    whole = build().mix([]).folder
    fewer = build(mixture={"tasks": tuple(name for name in SMALL if name != "mrpc"), "name": "fewer"})
    rest = fewer.mix([]).folder

    def keep(rows):
        return [row for row in rows if row["task"] != "mrpc"]

    assert keep(examples(whole)) == examples(rest)


def test_the_order_is_mixed(build):
    folder = build().mix([]).folder
    first = Counter(row["task"] for row in examples(folder)[:120])

    assert len(first) == len(SMALL)


def test_a_size_in_examples_is_met_exactly(build):
    built = build(mixture={"size": Size(examples=221)}).mix([])

    assert len(examples(built.folder)) == built.manifest.rows["train"] == 221


def test_a_size_that_would_repeat_a_template_is_refused_in_one_sentence_with_what_to_write(build):
    message = (
        r"^[^\n]*size: \w+ and \d+ more tasks are asked for .* size.templates_per_row: 2; write 10, or leave"
    )
    with pytest.raises(DeclarationError, match=message):
        build(mixture={"size": Size(examples=20_000, templates_per_row=2)}).mix([])


def test_a_size_in_examples_works_out_the_templates_that_a_row_needs(build):
    built = build(mixture={"size": Size(examples=20_000)}).mix([])

    rows = examples(built.folder)
    assert len(rows) == 20_000
    first_ten = Counter((row["task"], row["row"], row["template"]) for row in rows if row["repeat"] < 9)
    assert set(first_ten.values()) == {1}


def test_holding_out_everything_is_refused(build):
    with pytest.raises(
        DeclarationError, match=r"no task gives training examples. held out: --holdout nli: rte.$"
    ):
        build(mixture={"tasks": ("rte",)}).mix(["nli"])


def test_shards_have_the_declared_schema_and_nothing_that_trainers_react_to(build):
    folder = build().mix([]).folder

    for path in folder.rglob("*.arrow"):
        schema = read_table(path).schema
        assert schema == TRAIN_SCHEMA
        assert not {"text", "input_ids", "labels", "messages"} & set(schema.names)


def test_prompt_ends_with_the_separator_and_completion_is_the_target(build):
    folder = build().mix([]).folder

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
    few(tmp_path / "there", workers=Workers(scheduler=dask)).mix(["nli"])

    assert everything(tmp_path / "here") == everything(tmp_path / "there")


def test_the_digest_of_a_mixture_is_golden(build):
    # The same declarations give the same rows for ever; a change here is a breaking change for every user.
    manifest = build().mix(["nli"]).manifest
    rows = [shard.rows_digest for split in ("train", "validation") for shard in manifest.shards[split]]

    assert digest_of(rows)[:16] == (ROOT / "tests" / "golden" / "mixture.digest").read_text().strip()


@pytest.fixture
def folder(build):
    return build().mix([]).folder


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

    files = [str(path) for path in sorted(folder.glob("train/*.arrow"))]
    loaded = datasets.load_dataset("arrow", data_files=files, cache_dir=str(tmp_path / "cache"))

    assert list(loaded["train"])[-1] == examples(folder)[-1]


def test_polars_scans_the_files(folder):
    assert pl.scan_ipc(folder / "train/*.arrow").collect().to_dicts() == examples(folder)


def test_pyarrow_dataset_reads_the_files(folder):
    files = sorted(map(str, folder.glob("train/*.arrow")))

    assert pa.dataset.dataset(files, format="arrow").to_table().to_pylist() == examples(folder)


def test_a_task_may_have_no_train_split(tasks, build):
    pair = build(
        tasks={name: tasks[name] for name in ("wsc273/wsc273", "rte")}, mixture={"tasks": ("wsc273", "rte")}
    )

    manifest = pair.mix([]).manifest

    assert manifest.tasks["wsc273/wsc273"].out == "evaluation only: the task file has no train split"


def test_the_card_gives_another_rebuild_another_description(build):
    """`datasets` caches a folder by its config, so two mixtures in one place must differ there."""
    one, other = (build(mixture={"seed": seed}).mix([]) for seed in (0, 1))

    assert one.folder == other.folder
    assert one.manifest.digest != other.manifest.digest
    assert f"description: {other.manifest.digest}" in (other.folder / "README.md").read_text()


@pytest.mark.needs("hub")
def test_datasets_gives_new_rows_after_a_rebuild(build, tmp_path):
    import datasets

    prompts = []
    for seed in (0, 1):
        folder = build(mixture={"seed": seed}).mix([]).folder
        rows = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
        prompts.append(rows[0]["prompt"])
        assert rows[0] == examples(folder)[0]

    assert prompts[0] != prompts[1]


def test_a_damaged_rendered_file_is_built_again_before_it_is_mixed(build):
    intact = build().mix(["nli"])
    path = build().rendered / "commonsense" / "copa" / "train.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    again = build(mixture={"shards": 2}).mix(["nli"])

    rows = sorted(map(str, examples(intact.folder)))
    assert sorted(map(str, examples(again.folder))) == rows


def test_repeats_do_not_overflow(build):
    folder = build(mixture={"tasks": ("rte",), "size": Size(passes=700)}).mix([]).folder

    assert max(row["repeat"] for row in examples(folder)) == 699
    assert TRAIN_SCHEMA.field("repeat").type == pa.int32()
