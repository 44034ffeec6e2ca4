"""What is made again, what is not, and what a killed run leaves."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, SMALL

from flanbuild.mixtures import Size
from flanbuild.shards import read_json
from flanbuild.sources.embedded import SampleSource


def stamps(data, pattern):
    """When each piece was last written."""
    return {path.parent.relative_to(data).as_posix(): path.stat().st_mtime_ns for path in data.glob(pattern)}


def redone(made, changed, holdout=("nli",)):
    """What building `changed` after `made` writes again: (raw tasks, rendered tasks, whether the mixture)."""
    made.mix(holdout)
    before = [stamps(made.data, pattern) for pattern in ("raw/**/source.json", "rendered/**/task.json")]
    _, _, mixed = changed.mix(holdout)
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


def test_more_passes_render_everything(build):
    assert redone(build(), build(mixture={"size": Size(passes=2)})) == (set(), set(SMALL), True)


def test_other_rows_at_the_source_make_everything_again(build):
    assert redone(build(), build(source=SampleSource(70))) == (set(SMALL), set(SMALL), True)


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


def run_cli(data, *, kill_after=None):
    command = [
        sys.executable,
        "-m",
        "flanbuild",
        "mixture",
        "--holdout",
        "nli",
        "--data",
        str(data),
        "--sample-rows",
        "40",
        "--source",
        "sample",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    if kill_after is not None:
        time.sleep(kill_after)
        os.killpg(process.pid, signal.SIGKILL)
    out, error = process.communicate()
    return process.returncode, out.strip(), error


@pytest.mark.slow
def test_a_killed_build_leaves_no_half_artifact_and_the_rerun_gives_the_same_digest(tmp_path):
    begin = time.monotonic()
    code, digest, error = run_cli(tmp_path / "whole")
    lasted = time.monotonic() - begin
    assert code == 0, error

    moments = random.Random(1)
    for attempt in range(6):
        data = tmp_path / f"killed{attempt}"
        for _ in range(3):
            run_cli(data, kill_after=moments.uniform(0.3, lasted))
            for folder in [
                p.parent for p in data.glob("mixtures/*/manifest.json") if not p.parent.name.startswith(".")
            ]:
                assert read_json(folder / "manifest.json")["digest"] == digest
        code, again, error = run_cli(data)
        assert (code, again) == (0, digest), error
        assert not list(data.rglob(".*.staging"))
