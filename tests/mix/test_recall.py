"""Planted evaluation rows are found and near misses are not: a small run of benchmarks/contamination.py."""

from importlib import import_module

import pytest
from conftest import ROOT

from flanbuild.declare.task import Roles

pytestmark = pytest.mark.slow

ROLES = {
    "rte": Roles(passage=("premise",), question=("hypothesis",)),
    "snli": Roles(passage=("premise",), question=("hypothesis",)),
    "boolq": Roles(passage=("title", "text"), question=("question",)),
    "squad/v2": Roles(passage=("title", "context"), question=("question",)),
    "mrpc": Roles(question=("sentence1", "sentence2")),
    "stsb": Roles(question=("sentence1", "sentence2")),
    "sst2": Roles(question=("sentence",)),
    "cola": Roles(question=("sentence",)),
    "nq": Roles(question=("question",)),
    "arc/easy": Roles(question=("question",)),
    "samsum": Roles(question=("dialogue",)),
    "wmt16_enro": Roles(question=("sent1",)),
    "trec": Roles(question=("text",)),
}


@pytest.fixture(scope="module")
def bench():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield import_module("contamination")


@pytest.fixture(scope="module")
def world(bench, mirror, tasks, tmp_path_factory):
    known = {name: tasks[name].model_copy(update={"roles": roles}) for name, roles in ROLES.items()}
    return bench.load_world(mirror, known, tmp_path_factory.mktemp("raw"))


def test_planted_rows_are_found(bench, world):
    found = {name: (hits, rows) for name, rows, _, hits in bench.recall(world, seed=7, number=100)}

    changed = {name: hits / rows for name, (hits, rows) in found.items() if name.startswith("1 word in 15")}
    assert all(share >= 0.9 for name, share in changed.items() if "6 to 19" not in name), changed
    whole = {name: hits == rows for name, (hits, rows) in found.items() if name not in changed}
    assert all(share for name, share in whole.items() if name != "verbatim, 4 or 5 words"), whole


def test_near_misses_are_no_alarms(bench, world):
    found = list(bench.false_alarms(world, seed=7, number=200))

    assert sum(alarms for _, _, alarms in found) <= 0.05 * sum(rows for _, rows, _ in found), found
