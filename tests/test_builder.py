"""What is built again, what is not, what a killed run leaves, and what runs at once do to each other."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SMALL
from few import FOLDER, few

import flanbuild
from flanbuild.artifacts.artifact import is_whole
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import MANIFEST, RECORD, RawRecord, TaskRecord, read_record
from flanbuild.declare.mixture import ContaminationRule, LicenseTerms, Rate, Size
from flanbuild.declare.task_files import load_task_file
from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.mix.verification import verify
from flanbuild.render.splits import declaration
from flanbuild.sources.sample import SampleSource


def stamps(data, kind):
    """When each task's folder was last written, by task."""
    depth = {"raw": 2, "rendered": 3}[kind]
    return {
        "/".join(path.parent.relative_to(data).parts[depth:]): path.stat().st_mtime_ns
        for path in (data / kind).rglob(RECORD)
    }


def redone(made, changed):
    """What building `changed` after `made` writes again: (raw tasks, rendered tasks, whether the mixture)."""
    made.mix(["nli"])
    return redone_since(made, changed)


def redone_since(made, changed):
    """The same, of what is there."""
    before = [stamps(made.data, kind) for kind in ("raw", "rendered")]
    mixed = changed.mix(["nli"]).new
    after = [stamps(made.data, kind) for kind in ("raw", "rendered")]
    raw, rendered = (
        {name for name in now if now[name] != was.get(name)} for was, now in zip(before, after, strict=True)
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
    before = stamps(made.data, "rendered")

    assert build().mix(["sentiment"]).new
    assert stamps(made.data, "rendered") == before


def test_another_number_of_shards_only_mixes(build):
    assert redone(build(), build(mixture={"shards": 5})) == (set(), set(), True)


def test_another_size_of_evaluation_changes_nothing_that_is_trained_on(build):
    assert redone(build(), build(evaluation_rows=3)) == (set(), set(), False)


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
        {"contamination": ContaminationRule(rule="drop")},
        {"related": (("nli", "paraphrase"),)},
        {"licenses": LicenseTerms(deny=("*-nc-*",))},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_only_shards_show_only_mixes(build, changed):
    assert redone(build(), build(mixture=changed)) == (set(), set(), True)


def test_another_name_renders_into_a_folder_of_its_own(build):
    made = build()
    made.mix(["nli"])
    before = {path: path.stat().st_mtime_ns for path in made.rendered.rglob("*.arrow")}

    build(mixture={"name": "other"}).mix(["nli"])

    assert {path: path.stat().st_mtime_ns for path in made.rendered.rglob("*.arrow")} == before


def test_another_separator_renders_everything(build):
    assert redone(build(), build(mixture={"separator": " "})) == (set(), set(SMALL), True)


def test_one_task_more_renders_that_task(build):
    fewer = build(mixture={"tasks": tuple(name for name in SMALL if name != "copa")})

    assert redone(fewer, build())[:2] == ({"copa"}, {"copa"})


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
    fresh = build(source=Moved(100), data=tmp_path / "fresh").mix(["nli"]).manifest

    assert made == (set(SMALL), set(SMALL), True)
    assert build(source=Moved(100)).mix(["nli"]).manifest == fresh


def test_one_task_fewer_only_mixes(build):
    assert redone(build(), build(mixture={"tasks": tuple(name for name in SMALL if name != "copa")})) == (
        set(),
        set(),
        True,
    )


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
        (f"raw/nli/rte/{RECORD}", ({"rte"}, set(), False)),
        ("rendered/flan2021/nli/rte/train.rows.arrow", (set(), {"rte"}, False)),
        (f"rendered/flan2021/nli/rte/{RECORD}", (set(), {"rte"}, False)),
        (f"mixtures/flan2021-without-nli/{MANIFEST}", (set(), set(), True)),
    ],
)
def test_a_deleted_file_is_made_again_with_its_folder_and_nothing_behind_it(build, file, again):
    made = build()
    made.mix(["nli"])
    (made.data / file).unlink()

    assert redone_since(made, build()) == again


def test_a_deleted_shard_is_mixed_again(build):
    first = build().mix([])
    (first.folder / "train" / "00001-of-00003.arrow").unlink()

    again = build().mix([])

    assert again.new
    assert again.manifest == first.manifest


def test_a_damaged_record_is_made_again_and_said(build, caplog):
    made = build()
    first = made.mix([]).manifest
    record = made.rendered / "nli" / "rte" / RECORD
    record.write_text("{ half")

    with caplog.at_level("INFO", "flanbuild"):
        assert build().mix([]).manifest == first
    assert f"{record}: not valid JSON" in caplog.text


def flip(path, bit):
    """Turns one bit of a file over."""
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)


def shards_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.arrow"))}


def flipped_bits_that_reach_a_shard(data, tmp_path, flips):
    """Builds, turns over one bit of a file that the mixture is made of, mixes again; the flips that changed it."""
    clean = few(tmp_path / "clean").mix(["nli"])
    expected = clean.manifest, shards_of(clean.folder)
    few(data).mix(["nli"])
    wrong = []
    for kind, position, bit in flips:
        files = sorted(p for p in (data / kind).rglob("*") if p.is_file() and not p.name.startswith("."))
        file = files[position % len(files)]
        flip(file, bit)
        shutil.rmtree(data / "mixtures")
        if kind == "raw":
            shutil.rmtree(data / "rendered")
        again = few(data).mix(["nli"])
        if (again.manifest, shards_of(again.folder)) != expected or verify(again.folder):
            wrong.append((kind, file.name, bit))
    return wrong


def test_no_flipped_bit_of_raw_rows_rendered_rows_fingerprints_or_records_reaches_a_shard(tmp_path):
    random_numbers = random.Random(2021)
    flips = [
        (kind, random_numbers.randrange(1000), random_numbers.randrange(1 << 24))
        for kind in ("raw", "rendered")
        for _ in range(20)
    ]

    assert flipped_bits_that_reach_a_shard(tmp_path / "data", tmp_path, flips) == []


def test_a_damaged_evaluation_set_is_made_again(build):
    made = build()
    record = made.evaluation_sets(["rte"])["rte"]
    file = made.addresses.evaluation / "nli" / "rte" / "test.arrow"
    flip(file, 5001)

    assert build().evaluation_sets(["rte"])["rte"] == record
    assert xxh3_of(file) == record.splits["test"].file_digest


def test_planning_another_mixture_leaves_the_first_as_it_is(build):
    first = build().mix(["nli"])
    before = {path: path.stat().st_mtime_ns for path in (build().data).rglob("*") if path.is_file()}

    build(mixture={"seed": 8, "cap": 10, "path": Path("other.yaml")}).plan(["nli"])

    changed = {p for p, t in before.items() if not p.name.endswith(".lock") and p.stat().st_mtime_ns != t}
    assert changed == set()
    assert verify(first.folder) == []


def test_two_mixtures_that_differ_in_seed_are_evaluated_on_the_same_rows(build):
    one = build().evaluation_sets(["rte", "sst2"])
    build(mixture={"name": "b", "seed": 8}).mix(["nli"])

    assert build(mixture={"name": "b", "seed": 8}).evaluation_sets(["rte", "sst2"]) == one


def test_two_mixture_files_of_one_name_are_refused_with_both_names(build, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.yaml").write_text(f"seed: {len(folder)}\n")
    one, two = (
        {"name": "mine", "path": tmp_path / folder / "mine.yaml", "seed": seed}
        for seed, folder in enumerate("ab")
    )
    build(mixture=one).mix([])

    with pytest.raises(DeclarationError, match=r"b/mine.yaml: .*a/mine.yaml is a mixture named 'mine' too"):
        build(mixture=two).mix([])


def test_what_is_trained_on_never_decides_what_a_held_out_name_means(tasks, tmp_path):
    names = ("rte", "cb", "sst2")
    made = few(
        tmp_path,
        tasks={name: tasks[name] for name in names},
        mixture={"tasks": None, "clusters": ("sentiment",), "path": ROOT / "mixtures" / "flan2021.yaml"},
    )

    manifest = made.mix(["nli"]).manifest

    assert set(manifest.held_out["nli"].tasks) == {"rte", "cb"}
    assert set(manifest.tasks) == {"sst2"}


def test_a_missing_split_is_skipped_only_when_asked_and_is_in_the_manifest(build, tasks, mirror):
    from flanbuild.errors import SourceError
    from flanbuild.sources.mirror import MirrorSource

    small = {name: tasks[name] for name in ("rte", "squad/v1", "sst2")}
    keys = {"tasks": small, "source": MirrorSource(mirror), "mixture": {"tasks": ("rte", "squad", "sst2")}}
    with pytest.raises(
        SourceError, match=r"squad.yaml: splits: the mirror has no split 'train' of rajpurkar/squad"
    ):
        build(**keys).mix([])

    task = build(**keys, missing="skip").mix([]).manifest.tasks["squad/v1"]

    assert task.out == "missing at the source: train"
    assert task.missing == ("train",)


def run(data, kind, jobs, *step):
    """A build as a process group of its own, which dies at a step if one is given: (code, digest, steps)."""
    command = [sys.executable, ROOT / "tests" / "few.py", data, kind, *map(str, (jobs, *step))]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=False)
    digest, steps = done.stdout.split() or ("", 0)
    return done.returncode, digest, int(steps)


def damaged(data):
    """Finished folders that are not as their records name them; what is being written begins with a dot."""
    found = [fault for path in data.glob(f"mixtures/[!.]*/{MANIFEST}") for fault in verify(path.parent)]
    for root, kind in (("raw", RawRecord), ("rendered", TaskRecord)):
        for path in (data / root).rglob(RECORD):
            if not any(part.startswith(".") for part in path.relative_to(data).parts):
                found += [] if is_whole(path.parent, read_record(path, kind)) else [path]
    return found


def leftovers(data):
    hidden = [path for path in data.rglob(".*") if not path.name.endswith(".lock")]
    return [path for path in hidden if ".mixture-files" not in path.parts]


def test_a_build_killed_at_any_moment_leaves_no_half_artifact_and_the_rerun_gives_the_same_digest(tmp_path):
    moments = random.Random(1)
    for kind, jobs, times in (("threads", 1, 8), ("threads", 2, 5), ("processes", 2, 3)):
        code, digest, steps = run(tmp_path / f"whole-{kind}-{jobs}", kind, jobs)
        assert code == 0
        for attempt in range(times):
            data = tmp_path / f"killed-{kind}-{jobs}-{attempt}"
            code, _, _ = run(data, kind, jobs, moments.randint(1, steps * 9 // 10))
            assert code == -signal.SIGKILL
            assert damaged(data) == []
            assert few(data).mix(["nli"]).manifest.digest == digest
            assert leftovers(data) == []


def together(*commands):
    """Runs commands at once: (code, last word of the output) of each."""
    processes = [subprocess.Popen(list(map(str, c)), stdout=subprocess.PIPE, text=True) for c in commands]
    outputs = [process.communicate()[0].split() for process in processes]
    return [(p.returncode, out[:1]) for p, out in zip(processes, outputs, strict=True)]


def test_two_builds_of_one_mixture_in_one_folder_both_succeed(tmp_path):
    expected = few(tmp_path / "alone").mix(["nli"]).manifest.digest
    for attempt in range(3):
        data = tmp_path / f"shared-{attempt}"
        command = [sys.executable, ROOT / "tests" / "few.py", data, "threads", 2]

        assert together(command, command) == [(0, [expected])] * 2
        assert damaged(data) == []
        assert leftovers(data) == []


def test_builds_with_other_hold_outs_and_other_seeds_at_once_are_all_right(tmp_path):
    (tmp_path / "s1.yaml").write_text((ROOT / "mixtures" / "smoke.yaml").read_text() + "\n")
    command = [sys.executable, "-m", "flanbuild", "mixture"]
    shared, alone = (["--data", tmp_path / name, "--sample-rows", "60"] for name in ("shared", "alone"))
    runs = [["smoke", "--holdout", "nli"], ["smoke", "--holdout", "commonsense"], [tmp_path / "s1.yaml"]]
    expected = [together([*command, *arguments, *alone])[0] for arguments in runs]

    assert together(*([*command, *arguments, *shared] for arguments in runs)) == expected
    assert [code for code, _ in expected] == [0, 0, 0]
    assert damaged(tmp_path / "shared") == []


def test_a_folder_that_a_killed_run_moved_aside_is_moved_back(tmp_path):
    first = few(tmp_path).mix(["nli"])
    aside = first.folder.with_name(f".{first.folder.name}.old-1-dead")
    first.folder.rename(aside)

    again = few(tmp_path).mix(["nli"])

    assert not again.new
    assert leftovers(tmp_path) == []


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
        subprocess.run(["umount", "--lazy", disk], check=True)  # tables may still map its files


@pytest.mark.parametrize(("size", "place"), [(40, "raw"), (300, "rendered"), (1100, "mixtures")])
def test_a_full_disk_is_one_sentence_and_the_rerun_with_space_completes(small_disk, tmp_path, size, place):
    data = small_disk(size)
    with pytest.raises(
        ExecutionError,
        match=rf"^.*/data/{place}/\S+: No space left on device( \(.*\))?; nothing was left half-written.$",
    ):
        few(data).mix(["nli"])
    assert damaged(data) == []
    assert leftovers(data) == []

    small_disk(16_000)
    assert few(data).mix(["nli"]).manifest == few(tmp_path / "elsewhere").mix(["nli"]).manifest


def test_the_python_function_builds_what_the_command_builds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("tasks: [rte, copa]\n")
    command = [
        sys.executable,
        "-m",
        "flanbuild",
        "mixture",
        "mine",
        "--holdout",
        "nli",
        "--sample-rows",
        "20",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    built = flanbuild.build("mine", "nli", sample_rows=20, data="other")

    assert built.manifest.digest == printed.strip()
    assert built.folder == Path("other/mixtures/mine-without-nli")
    assert not flanbuild.build(Path("mine.yaml"), ["nli"], sample_rows=20, data=Path("other")).new


def test_the_python_function_takes_task_files_and_a_source_of_ones_own(pages, tmp_path):
    mixture = tmp_path / "mine.yaml"
    mixture.write_text("tasks: [rte]\nclusters: [misc]\n")
    folder = pages(cluster="misc")

    built = flanbuild.build(mixture, tasks=folder, source=SampleSource(20), data=tmp_path / "data")

    assert built.manifest.tasks["rte"].cluster == "misc"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"mixture": "flan2012"}, r"flan2012.yaml: no such mixture. Did you mean 'flan2021'"),
        ({"holdout": "nly"}, r"--holdout: no cluster, dataset or task 'nly'. Did you mean 'nli'"),
        ({"source": "disk"}, r"source: no kind 'disk'"),
        ({"jobs": 0}, r"jobs: found 0, at least 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_of_the_python_function_is_one_sentence(tmp_path, arguments, sentence):
    with pytest.raises(DeclarationError, match=sentence):
        flanbuild.build(**arguments, data=tmp_path)
