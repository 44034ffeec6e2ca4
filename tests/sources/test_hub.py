"""All pages from a hub on this machine, through the real client: the same bytes as from a mirror."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hub_server import Hub, Repo
from hub_world import BY_HAND, fewer_rows, parquet, write_world
from raw_rows import build_raw

from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.records import RECORD, RawRecord, read_record
from flanbuild.errors import SourceError
from flanbuild.sources import raw
from flanbuild.sources.client import Client, Patience
from flanbuild.sources.hub import HubSource
from flanbuild.sources.lock import Lock, difference, read_lock
from flanbuild.sources.mirror import MirrorSource
from flanbuild.sources.row_groups import GROUPS, choose
from flanbuild.sources.update import lock_tasks, mirror_tasks

ROOT = Path(__file__).parents[2]
QUICK = Patience(timeout=5, reach=2, tries=3, wait=0.01)


@pytest.fixture(scope="module")
def members(tasks):
    return [fewer_rows(task) for task in tasks.values() if task.dataset not in BY_HAND]


@pytest.fixture(scope="module")
def world(members, tmp_path_factory):
    """(hub, folder of the mirror), with the real rows there are."""
    real = Path(os.environ.get("FLANBUILD_MIRROR", ROOT.parent / "shared" / "mirror"))
    folder = tmp_path_factory.mktemp("world")
    with Hub(write_world(members, real if real.is_dir() else None, folder)).serving() as hub:
        yield hub, folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def client(world, cache):
    return Client(QUICK, endpoint=world[0].address, cache=cache)


@pytest.fixture
def lock(client, members, tmp_path):
    locked = Lock(tmp_path / "lock.json")
    found = lock_tasks(members, locked, anew=False, jobs=8, client=client)
    assert found.faults == []
    locked.tasks.update(found.entries)
    return locked


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def raws(folder: Path) -> dict[str, bytes]:
    return {path: body for path, body in tree(folder).items() if path.endswith(".parquet")}


def differing(one, other) -> set[str]:
    """The keys under which two records differ."""
    return {key for key in type(one).model_fields if getattr(one, key) != getattr(other, key)}


def test_every_page_that_a_program_may_fetch_is_locked_to_a_commit_and_files(lock, members):
    assert {task.dataset for task in members} == {t.dataset for t in members if t.name in lock.tasks}
    assert len({task.dataset for task in members}) == 59
    for task in members:
        entry = lock.tasks[task.name]
        assert len(entry.commit or "") == 40
        assert set(entry.splits) == set(task.upstream_splits())


def test_raw_rows_of_all_pages_from_the_hub_equal_the_mirrors_byte_for_byte(
    world, client, lock, members, tmp_path
):
    raw.download_all(members, HubSource(lock, client), tmp_path / "hub", "error", Workers(8))
    raw.download_all(members, MirrorSource(world[1]), tmp_path / "mirror", "error", Workers(1))

    hub, mirror = raws(tmp_path / "hub"), raws(tmp_path / "mirror")
    assert list(hub) == list(mirror)
    assert [path for path in hub if hub[path] != mirror[path]] == []
    for path in (tmp_path / "hub").rglob(RECORD):
        from_hub = read_record(path, RawRecord)
        from_mirror = read_record(tmp_path / "mirror" / path.relative_to(tmp_path / "hub"), RawRecord)
        assert from_hub.source.digest == from_mirror.source.digest
        assert differing(from_hub, from_mirror) <= {"checksum", "fingerprint", "source", "splits"}
        assert differing(from_hub.source, from_mirror.source) <= {"kind", "commit"}
        assert len(from_hub.source.commit) == 40


def test_what_mirror_writes_is_read_back_to_the_same_bytes_with_its_commits(client, lock, members, tmp_path):
    some = members[::7]
    mirror_tasks(some, lock, str(tmp_path / "mirror"), tmp_path / "none", jobs=4, client=client)
    raw.download_all(some, HubSource(lock, client), tmp_path / "hub", "error", Workers(4))
    raw.download_all(some, MirrorSource(tmp_path / "mirror"), tmp_path / "again", "error", Workers(1))

    assert raws(tmp_path / "again") == raws(tmp_path / "hub")
    for path in (tmp_path / "hub").rglob(RECORD):
        from_hub = read_record(path, RawRecord)
        again = read_record(tmp_path / "again" / path.relative_to(tmp_path / "hub"), RawRecord)
        assert differing(from_hub, again) == {"checksum", "fingerprint", "source"}
        assert differing(from_hub.source, again.source) == {"kind"}


def test_a_mirror_may_be_any_fsspec_url(client, lock, members, tmp_path):
    some = members[:3]
    mirror_tasks(some, lock, "memory://mirror", tmp_path / "none", jobs=2, client=client)

    raw.download_all(some, MirrorSource("memory://mirror"), tmp_path / "raw", "error", Workers(2))

    raw.download_all(some, HubSource(lock, client), tmp_path / "hub", "error", Workers(2))
    assert raws(tmp_path / "raw") == raws(tmp_path / "hub")


def test_a_mirror_whose_file_is_not_the_locked_one_stops_that_dataset(client, lock, members, tmp_path):
    [task] = [task for task in members if task.name == "rte"]
    mirror_tasks([task], lock, str(tmp_path / "mirror"), tmp_path / "none", jobs=1, client=client)
    [first, *_] = sorted((tmp_path / "mirror" / "aps").rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")

    with pytest.raises(SourceError, match=r"not the file that .*lock.json names for 'rte'"):
        build_raw(task, MirrorSource(tmp_path / "mirror"), tmp_path / "raw")


def test_what_is_locked_and_cached_needs_no_network(client, lock, members, cache, tmp_path):
    some = members[:4]
    raw.download_all(some, HubSource(lock, client), tmp_path / "one", "error", Workers(4))

    alone = Client(QUICK, endpoint="http://127.0.0.1:9", cache=cache)
    raw.download_all(some, HubSource(lock, alone), tmp_path / "two", "error", Workers(4))

    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_task_without_an_entry_is_refused_with_what_to_do(lock, client, members, tmp_path):
    [task] = [task for task in members if task.name == "copa"]
    del lock.tasks["copa"]

    with pytest.raises(
        SourceError, match=r"no entry for 'copa'. `flanbuild lock copa` pins it .*`source: sample`"
    ):
        build_raw(task, HubSource(lock, client), tmp_path / "raw")
    record = build_raw(task, HubSource(None, client), tmp_path / "raw")
    assert record.source.commit


def test_an_empty_lock_says_so_instead_of_naming_one_task(members, tmp_path):
    task = next(iter(members))

    with pytest.raises(
        SourceError, match=r"lock.json: no task is locked; `flanbuild lock` pins all of them"
    ) as caught:
        Lock(tmp_path / "lock.json").entry(task)
    assert task.name not in str(caught.value)


def test_an_entry_of_another_declaration_is_refused(lock, client, members, tmp_path):
    [task] = [task for task in members if task.name == "copa"]
    changed = fewer_rows(task, config="rte")

    with pytest.raises(
        SourceError, match=r"tasks.copa: locked for another `source` than .*copa.yaml declares now"
    ):
        build_raw(changed, HubSource(lock, client), tmp_path / "raw")


def test_a_lock_reads_back_and_does_not_depend_on_the_order_of_the_tasks(lock, members, client, tmp_path):
    lock.write()
    other = Lock(tmp_path / "other.json")
    other.tasks.update(lock_tasks(members[::-1], other, anew=False, jobs=2, client=client).entries)
    other.write()

    assert read_lock(lock.path).tasks == lock.tasks
    assert lock.path.read_bytes() == other.path.read_bytes()


def test_a_page_that_moved_upstream_is_told_with_its_files(lock, members, world, cache):
    hub = world[0]
    [task] = [task for task in members if task.name == "copa"]
    path = "copa/train-00000-of-00002.parquet"
    files = hub.repos["aps/super_glue"].branches["main"]
    before = files[path]
    files[path] = before + b" "
    try:
        client = Client(QUICK, endpoint=hub.address, cache=cache)
        kept = lock_tasks([task], lock, anew=False, jobs=1, client=client)
        found = lock_tasks([task], lock, anew=True, jobs=1, client=client)
    finally:
        files[path] = before

    assert kept.entries == {}
    [line] = found.news
    assert line.startswith("copa: ")
    assert line.endswith(f"other files: {path} (train)")
    assert difference(lock.tasks["copa"], lock.tasks["copa"]) == ""


def test_pages_for_which_files_must_be_asked_are_told_and_no_fault(tasks, client, tmp_path):
    found = lock_tasks(
        [tasks[name] for name in BY_HAND], Lock(tmp_path / "x"), anew=False, jobs=1, client=client
    )

    assert found.faults == []
    assert len(found.by_hand) == 3
    assert all("flanbuild import" in line for line in found.by_hand)


# --- drift -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def drifting(members, tmp_path):
    """A hub whose one repository a test may spoil, and the task that reads it."""
    [task] = [task for task in members if task.name == "rte"]
    repos = write_world([task], None, tmp_path / "mirror")
    with Hub(repos).serving() as hub:
        client = Client(QUICK, endpoint=hub.address, cache=tmp_path / "cache")

        def download(change, task=task, split="train"):
            files = repos["aps/super_glue"].branches["main"]
            path = f"rte/{split}-00001-of-00002.parquet"
            table = pa.parquet.read_table(pa.BufferReader(files[path]))
            files[path] = parquet(change(table))
            return build_raw(task, HubSource(None, client), tmp_path / "raw")

        yield download, task
    assert not (tmp_path / "raw").exists()


def relabelled(table: pa.Table) -> pa.Table:
    said = {
        "info": {"features": {"label": {"_type": "ClassLabel", "names": ["not_entailment", "entailment"]}}}
    }
    return table.replace_schema_metadata({"huggingface": json.dumps(said)})


DRIFTS = {
    "renamed": (
        lambda table: table.rename_columns({"premise": "premises"}),
        r"rte.yaml: columns.premise: aps/super_glue \(rte\) split 'train' file rte/train-00001-of-00002.parquet has no column 'premise'. Did you mean 'premises'",
    ),
    "of another type": (
        lambda table: table.set_column(0, "premise", pa.array(range(len(table)))),
        r"columns.premise: expected string, but aps/super_glue \(rte\) split 'train' file .* has int64",
    ),
    "other classes": (
        relabelled,
        r"labels: expected \['entailment', 'not_entailment'\], but aps/super_glue .* 'label' has \['not_entailment', 'entailment'\]",
    ),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_schema_that_drifted_in_any_file_stops_the_dataset(drift, drifting):
    change, message = DRIFTS[drift]

    with pytest.raises(SourceError, match=message):
        drifting[0](change)


def test_fewer_rows_than_declared_stop_the_dataset(drifting):
    download, task = drifting

    with pytest.raises(
        SourceError, match=r"source.rows.train: expected 2,490 rows, but hub .* split 'train' has \d+"
    ):
        download(lambda table: table, task=fewer_rows(task, rows={"train": 2490}))


# --- excerpts --------------------------------------------------------------------------------------------------------


def test_an_excerpt_takes_groups_by_key_and_the_same_ones_whatever_the_number_asked(tmp_path):
    rows = [1000] * 500

    few, many = choose(rows, "org/pairs", 40_000), choose(rows, "org/pairs", 100_000)

    assert len(few) == 40
    assert set(few) < set(many)
    assert len(choose([10**6] * 100, "org/pairs", 1)) == GROUPS


def test_every_group_has_the_same_chance():
    """Over many splits each of 100 groups is taken about 40 % of the time: 400 of 1,000, sd 15.5."""
    taken = np.zeros(100)
    for i in range(1000):
        taken[choose([1000] * 100, f"split {i}", 40_000)] += 1

    assert taken.sum() == 40_000
    assert np.abs(taken - 400).max() < 5 * 15.5


@pytest.fixture
def pairs(tasks, tmp_path):
    """WMT-14's page on a hub whose train split has 200 row groups of 50 rows in two files."""
    task = fewer_rows(tasks["wmt14_enfr"], max_rows=2000)
    noise = np.random.default_rng(0).bytes(400 * 10_000).hex()
    text = [
        {"en": f"sentence {i} {noise[400 * i : 400 * i + 400]}", "fr": f"phrase {i}"} for i in range(10_000)
    ]
    unused = [noise[-400 * i - 400 : len(noise) - 400 * i] for i in range(10_000)]
    table = pa.table({"translation": pa.array(text), "unused": pa.array(unused)})
    repo, mirror = Repo({"main": {}}), tmp_path / "mirror" / "wmt" / "wmt14" / "fr-en"
    mirror.mkdir(parents=True)
    for name, part in {
        "train-00000-of-00002": table[:5000],
        "train-00001-of-00002": table[5000:],
        "validation-00000-of-00001": table[:10],
        "test-00000-of-00001": table[:10],
    }.items():
        body = parquet(part, row_group_size=50)
        repo.branches["main"][f"fr-en/{name}.parquet"] = body
        (mirror / f"{name}.parquet").write_bytes(body)
    with Hub({"wmt/wmt14": repo}).serving() as hub:
        yield task, hub, Client(QUICK, endpoint=hub.address, cache=tmp_path / "cache"), tmp_path


def locked(task, client, path):
    lock = Lock(path)
    lock.tasks.update(lock_tasks([task], lock, anew=False, jobs=1, client=client).entries)
    return lock


def test_of_a_huge_split_only_the_chosen_groups_are_downloaded_the_same_from_hub_and_mirror(pairs):
    task, hub, client, folder = pairs
    lock = locked(task, client, folder / "lock.json")
    said = lock.tasks["wmt14_enfr"].splits["train"].excerpt
    assert said
    assert (said.rows, said.of) == (2000, 10_000)
    hub.requests.clear()

    record = build_raw(task, HubSource(lock, client), folder / "hub")
    build_raw(task, MirrorSource(folder / "mirror"), folder / "raw")

    assert record.splits["train"].rows == 2000
    assert record.splits["train"].sample_of == 10_000
    assert raws(folder / "hub") == raws(folder / "raw")
    ranges = [r.range for r in hub.requests if "/train" in r.path]
    read = sum(int(r.split("-")[1]) - int(r.split("=")[1].split("-")[0]) + 1 for r in ranges)
    whole = sum(
        len(body) for path, body in hub.repos["wmt/wmt14"].branches["main"].items() if "train" in path
    )
    assert read < whole / 5  # a fifth of the rows, and one of two columns


def test_rows_of_an_excerpt_that_are_not_the_locked_ones_are_refused(pairs):
    task, hub, client, folder = pairs
    lock = locked(task, client, folder / "lock.json")
    files = hub.repos["wmt/wmt14"].branches["main"]
    path = "fr-en/train-00000-of-00002.parquet"
    commit = hub.repos["wmt/wmt14"].commit("main")
    changed = files[path].replace(b"sentence 1", b"sentence 2")
    assert changed != files[path]
    files[path] = changed
    hub.repos["wmt/wmt14"].commit = lambda branch: commit  # the server changes what a commit holds

    with pytest.raises(SourceError, match="the row groups that came are not the locked ones"):
        build_raw(task, HubSource(lock, client), folder / "hub")
    assert not (folder / "hub").exists()


# --- the command line ------------------------------------------------------------------------------------------------


def flanbuild(*arguments: str, cwd: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from flanbuild.cli.app import main; main()", *arguments]
    given = {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(cwd / "home"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=cwd, env=os.environ | given | changed, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def project(tmp_path, world):
    """A folder with two pages of the project, for which HF_ENDPOINT is all that there is to set."""
    for name in ("nli/cb", "commonsense/copa"):
        place = tmp_path / "mixtures" / "tasks" / f"{name}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / "mixtures" / "tasks" / f"{name}.yaml").read_text()
        place.write_text(
            "".join(line for line in text.splitlines(keepends=True) if not line.startswith("  rows:"))
        )
    shutil.copy(ROOT / "mixtures" / "flan2021.yaml", tmp_path / "mixtures")
    return lambda *arguments, **changed: flanbuild(
        *arguments, cwd=tmp_path, **{"HF_ENDPOINT": world[0].address} | changed
    )


@pytest.mark.slow
def test_lock_download_mirror_and_download_again_from_the_command_line(project, tmp_path):
    assert project("lock").returncode == 0
    assert list(read_lock(tmp_path / "mixtures" / "lock.json").tasks) == ["cb", "copa"]
    assert project("download", "--source", "hub", "--jobs", "4").returncode == 0
    assert project("mirror", "mirror").returncode == 0
    done = project("download", "--source", "mirror", "--data", "again", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr

    assert raws(tmp_path / "data" / "raw") == raws(tmp_path / "again" / "raw")
    assert len(raws(tmp_path / "again" / "raw")) == 4


TWICE = """
import sys; from pathlib import Path
from flanbuild.artifacts.executor import Workers
from flanbuild.sources import open_source, raw
from flanbuild.declare.task_files import load_tasks
tasks = list(load_tasks([Path("mixtures/tasks")]).values())
source = open_source("hub", mirror="", sample_rows=1, lock=Path("mixtures/lock.json"))
raw.download_all(tasks, source, Path("data/raw"), "error", Workers(2))
"""


def test_two_downloads_at_once_into_one_folder_leave_what_one_leaves(
    project, world, client, lock, members, tmp_path
):
    Lock(tmp_path / "mixtures" / "lock.json", lock.tasks).write()
    given = {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    given |= {"HF_ENDPOINT": world[0].address}
    command = [sys.executable, "-c", TWICE]
    both = [subprocess.Popen(command, cwd=tmp_path, env=os.environ | given) for _ in range(2)]

    assert [process.wait(60) for process in both] == [0, 0]
    some = [task for task in members if task.name in ("cb", "copa")]
    raw.download_all(some, HubSource(lock, client), tmp_path / "alone", "error", Workers(1))
    assert raws(tmp_path / "data" / "raw") == raws(tmp_path / "alone")
    leftovers = (tmp_path / "data" / "raw").rglob(".*")
    assert [path for path in leftovers if not path.name.endswith(".lock")] == []


def test_with_no_network_one_message_names_sample_and_mirror(project, tmp_path):
    ran = project("download", "--source", "hub", "--unlocked", HF_ENDPOINT="http://127.0.0.1:9")

    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "cannot be reached" in ran.stderr
    assert "`source: sample` needs no network, and `source: mirror`" in ran.stderr
    assert not raws(tmp_path)


def test_a_disk_that_is_full_stops_a_download_with_one_message_and_no_half_folder(
    client, lock, members, tmp_path
):
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(place)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no right to mount a small disk ({error})")
    try:
        [task] = [task for task in members if task.name == "cb"]
        with pytest.raises(Exception, match="No space left on device; nothing was left half-written"):
            raw.download_all([task], HubSource(lock, client), place / "raw", "error", Workers(1))
        assert raws(place) == {}
    finally:
        subprocess.run(["umount", str(place)], check=True)
