"""What is made again, what is not, and what a killed run leaves."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, SMALL
from few import FOLDER, few

from flanbuild.artifacts.files import read_json, sha256_of
from flanbuild.declare.mixture import LicenseTerms, Rate, Size
from flanbuild.declare.task_files import load_task_file
from flanbuild.errors import ExecutionError
from flanbuild.mix.verification import verify
from flanbuild.render.prompts import declaration
from flanbuild.sources.sample import SampleSource


def stamps(data, pattern):
    """When each piece was last written."""
    return {path.parent.relative_to(data).as_posix(): path.stat().st_mtime_ns for path in data.glob(pattern)}


def redone(made, changed):
    """What building `changed` after `made` writes again: (raw tasks, rendered tasks, whether the mixture)."""
    made.mix(["nli"])
    return redone_since(made, changed)


def redone_since(made, changed):
    """The same, of what is there."""
    before = [stamps(made.data, pattern) for pattern in ("raw/**/source.json", "rendered/**/task.json")]
    _, _, mixed = changed.mix(["nli"])
    after = [stamps(made.data, pattern) for pattern in ("raw/**/source.json", "rendered/**/task.json")]
    raw, rendered = (
        {name.split("/", 2)[2] for name in now if now[name] != was.get(name)}
        for was, now in zip(before, after, strict=True)
    )
    return raw, rendered, mixed


def test_nothing_changed_nothing_is_done(build):
    assert redone(build(), build()) == (set(), set(), False)


def test_another_wording_of_one_task_renders_that_task(build, tasks):
    template = tasks["rte"].templates[0].model_copy(update={"inputs": "Other words: {premise} {hypothesis}"})
    rte = tasks["rte"].model_copy(update={"templates": (template, *tasks["rte"].templates[1:])})

    changed = build(tasks={name: tasks[name] for name in SMALL} | {"rte": rte})

    assert redone(build(), changed) == (set(), {"rte"}, True)


def test_another_filter_of_one_task_renders_that_task(build, tasks):
    rte = tasks["rte"].model_copy(update={"where": {"short": "length(premise) < 90"}})

    assert redone(build(), build(tasks={name: tasks[name] for name in SMALL} | {"rte": rte})) == (
        set(),
        {"rte"},
        True,
    )


def test_another_seed_renders_everything(build):
    assert redone(build(), build(mixture={"seed": 7})) == (set(), set(SMALL), True)


def test_another_hold_out_only_mixes(build):
    made = build()
    made.mix(["nli"])
    before = stamps(made.data, "rendered/**/task.json")

    _, _, mixed = build().mix(["sentiment"])

    assert mixed
    assert stamps(made.data, "rendered/**/task.json") == before


def test_another_number_of_shards_only_mixes(build):
    assert redone(build(), build(mixture={"shards": 5})) == (set(), set(), True)


def test_another_size_of_evaluation_renders_everything(build):
    assert redone(build(), build(evaluation_examples=3)) == (set(), set(SMALL), True)


def test_another_number_of_passes_renders_everything(build):
    assert redone(build(), build(mixture={"size": Size(passes=2)})) == (set(), set(SMALL), True)


def test_a_cap_renders_the_tasks_that_it_cuts(build):
    # arc/easy trains on 48 rows, each of the others on 50.
    assert redone(build(), build(mixture={"cap": 49})) == (set(), set(SMALL) - {"arc/easy"}, True)


def test_a_cap_that_cuts_nothing_only_mixes(build):
    assert redone(build(), build(mixture={"cap": 5000})) == (set(), set(), True)


def test_a_rate_that_changes_no_number_of_wordings_only_mixes(build):
    assert redone(build(), build(mixture={"rate": Rate(max=2000)})) == (set(), set(), True)


@pytest.mark.parametrize(
    "changed",
    [
        {"compression": "lz4"},
        {"leaks": "drop"},
        {"related": (("nli", "paraphrase"),)},
        {"licenses": LicenseTerms(deny=("*-nc-*",))},
        {"name": "other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_only_shards_show_only_mixes(build, changed):
    assert redone(build(), build(mixture=changed)) == (set(), set(), True)


def test_another_joiner_renders_everything(build):
    assert redone(build(), build(mixture={"separator": " "})) == (set(), set(SMALL), True)


def test_one_task_more_renders_that_task(build):
    fewer = build(mixture={"tasks": SMALL[1:]})

    assert redone(fewer, build())[:2] == ({"rte"}, {"rte"})


def test_a_comment_in_a_page_changes_nothing(tmp_path):
    pages = tmp_path / "pages" / "nli"
    pages.mkdir(parents=True)
    text = (FOLDER / "nli" / "rte.yaml").read_text()
    digests = []
    for words in (text, f"# A comment.\n{text}"):
        (pages / "rte.yaml").write_text(words)
        digests.append(declaration(load_task_file(pages / "rte.yaml")[0][0]))

    assert digests[0] == digests[1]


def test_another_column_of_one_task_downloads_and_renders_that_task(build, tasks):
    rte = tasks["rte"].model_copy(update={"columns": {**tasks["rte"].columns, "idx": "int32"}})

    assert redone(build(), build(tasks={name: tasks[name] for name in SMALL} | {"rte": rte})) == (
        {"rte"},
        {"rte"},
        True,
    )


def test_other_rows_at_the_source_make_everything_again(build):
    assert redone(build(), build(source=SampleSource(70))) == (set(SMALL), set(SMALL), True)


def test_another_commit_of_equal_rows_is_in_the_manifest_as_if_built_fresh(build, tmp_path):
    class Moved(SampleSource):
        def commit(self, task):
            return "another"

    made = redone(build(), build(source=Moved(100)))
    _, fresh, _ = build(source=Moved(100), data=tmp_path / "fresh").mix(["nli"])

    assert made == (set(SMALL), set(SMALL), True)
    assert build(source=Moved(100)).mix(["nli"])[1] == fresh


def test_one_task_fewer_only_mixes(build):
    assert redone(build(), build(mixture={"tasks": SMALL[1:]})) == (set(), set(), True)


def test_more_templates_an_example_render_everything(build):
    once = {"size": Size(passes=1)}

    assert redone(build(mixture=once), build(mixture=once | {"templates_per_example": 2})) == (
        set(),
        set(SMALL),
        True,
    )


@pytest.mark.parametrize(
    ("file", "again"),
    [
        ("raw/nli/rte/train.parquet", ({"rte"}, set(), False)),
        ("raw/nli/rte/source.json", ({"rte"}, set(), False)),
        ("rendered/nli/rte/test.arrow", (set(), {"rte"}, False)),
        ("rendered/nli/rte/task.json", (set(), {"rte"}, False)),
        ("mixtures/flan2021-without-nli/manifest.json", (set(), set(), True)),
    ],
)
def test_a_deleted_file_is_made_again_with_its_piece_and_nothing_behind_it(build, file, again):
    made = build()
    made.mix(["nli"])
    (made.data / file).unlink()

    assert redone_since(made, build()) == again


def test_a_deleted_shard_is_mixed_again(build):
    made = build()
    folder, record, _ = made.mix([])
    (folder / "train-00001-of-00003.arrow").unlink()

    _, again, mixed = build().mix([])

    assert mixed
    assert again["digest"] == record["digest"]


def test_a_damaged_record_is_made_again(build):
    made = build()
    _, record, _ = made.mix([])
    (made.rendered / "nli" / "rte" / "task.json").write_text("{ half")

    assert build().mix([])[1]["digest"] == record["digest"]


def test_a_missing_split_is_skipped_only_when_asked_and_is_in_the_manifest(build, tasks, mirror):
    from flanbuild.errors import SourceError
    from flanbuild.sources.mirror import MirrorSource

    small = {name: tasks[name] for name in ("rte", "squad/v1", "sst2")}
    keys = {"tasks": small, "source": MirrorSource(mirror), "mixture": {"tasks": ("rte", "squad", "sst2")}}
    with pytest.raises(
        SourceError, match=r"squad.yaml: splits: the mirror has no split 'train' of rajpurkar/squad"
    ):
        build(**keys).mix([])

    _, record, _ = build(**keys, missing="skip").mix([])

    assert record["tasks"]["squad/v1"]["out"] == "missing at the source: train"
    assert record["tasks"]["squad/v1"]["missing"] == ["train"]


def run(data, kind, jobs, kill_after=None):
    """A build as a process group of its own, killed so many seconds after it began to work: (code, digest, seconds)."""
    command = [sys.executable, str(ROOT / "tests" / "few.py"), str(data), kind, str(jobs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout.readline() == "begun\n"
    begin = time.monotonic()
    if kill_after is not None:
        time.sleep(kill_after)
        os.killpg(process.pid, signal.SIGKILL)
    digest = process.communicate()[0].strip()
    return process.returncode, digest, time.monotonic() - begin


def damaged(data):
    """Finished pieces that are not what their record says; pieces in the making begin with a dot."""

    def finished(pattern):
        return [
            path
            for path in data.glob(pattern)
            if not any(part.startswith(".") for part in path.relative_to(data).parts)
        ]

    found = [fault for path in finished("mixtures/*/manifest.json") for fault in verify(path.parent)]
    for name, file in (("source.json", "{}.parquet"), ("task.json", "{}.arrow")):
        for path in finished(f"*/*/*/{name}"):
            splits = read_json(path)["splits"]
            found += [s for s in splits if sha256_of(path.with_name(file.format(s))) != splits[s]["sha256"]]
    return found


def leftovers(data):
    return [path for path in data.rglob(".*") if not path.name.endswith(".lock")]


@pytest.mark.slow
def test_a_build_killed_at_any_moment_leaves_no_half_artifact_and_the_rerun_gives_the_same_digest(tmp_path):
    moments, killed = random.Random(1), 0
    for kind, jobs, times in (("threads", 1, 10), ("threads", 2, 10), ("processes", 2, 5)):
        code, digest, lasted = run(tmp_path / f"whole-{kind}-{jobs}", kind, jobs)
        assert code == 0
        for attempt in range(times):
            data = tmp_path / f"killed-{kind}-{jobs}-{attempt}"
            code, _, _ = run(data, kind, jobs, kill_after=moments.uniform(0, lasted))
            killed += code == -signal.SIGKILL
            assert damaged(data) == []
            assert few(data).mix(["nli"])[1]["digest"] == digest
            assert leftovers(data) == []
    assert killed >= 20


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a disk of so many KiB; its second use makes that disk larger."""
    disk = tmp_path / "disk"

    def mount(size):
        options = f"size={size}k" + (",remount" if disk.is_mount() else "")
        disk.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip(f"needs the right to mount a small disk: {done.stderr.decode().strip()}")
        return disk / "data"

    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs root, to mount a small disk")
    yield mount
    if disk.is_mount():
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(("size", "place"), [(40, "raw"), (300, "rendered"), (1100, "mixtures")])
def test_a_full_disk_is_one_sentence_and_the_rerun_with_space_completes(small_disk, tmp_path, size, place):
    data = small_disk(size)
    with pytest.raises(
        ExecutionError,
        match=rf"^.*/data/{place}/\S+: No space left on device; nothing was left half-written.$",
    ):
        few(data).mix(["nli"])
    assert damaged(data) == []
    assert leftovers(data) == []

    small_disk(16_000)
    assert few(data).mix(["nli"])[1]["digest"] == few(tmp_path / "elsewhere").mix(["nli"])[1]["digest"]
