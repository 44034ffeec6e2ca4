"""What one pass over a split counts is what its rows say."""

from collections import Counter

import numpy as np
import pytest
from few import few
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.inspect.contents import SIDES, by_cluster, contents, of_counts
from flanbuild.read import load


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return load(few(tmp_path_factory.mktemp("contents")).mix([]).folder)


@pytest.fixture(scope="module")
def counted(loaded):
    return contents(loaded, 5)


def test_lengths_are_characters_of_the_texts(loaded, counted):
    for side in SIDES:
        texts = [len(row[side]) for row in loaded if row["task"] == "rte"]
        found = counted.lengths(side, "rte")
        assert (found.total, found.longest) == (sum(texts), max(texts))
        assert counted.lengths(side).total == sum(len(row[side]) for row in loaded)


def test_templates_and_repeats_are_those_of_the_rows(loaded, counted):
    rows = list(loaded)

    assert counted.templates["copa"] == Counter(r["template"] for r in rows if r["task"] == "copa")
    assert counted.repeated == {
        task: sum(r["repeat"] > 0 for r in rows if r["task"] == task) for task in counted.templates
    }


def test_the_first_examples_of_a_task_are_the_first_in_the_split(loaded, counted):
    rows = list(loaded)

    for task, positions in counted.first.items():
        assert positions == [i for i, row in enumerate(rows) if row["task"] == task][:5]


def test_clusters_hold_the_tasks_that_give_examples(loaded):
    assert {cluster: list(tasks) for cluster, tasks in by_cluster(loaded.manifest).items()} == {
        "commonsense": ["copa"],
        "misc": ["coqa"],
        "nli": ["rte"],
    }


@given(st.lists(st.integers(0, 50), min_size=1))
def test_percentiles_are_lengths_that_occur_and_totals_add_up(lengths):
    found = of_counts(*np.unique(lengths, return_counts=True))

    ordered = sorted(lengths)
    assert found.total == sum(lengths)
    assert found.low in lengths
    assert found.median in lengths
    assert found.low <= found.median <= found.high <= found.longest == ordered[-1]
    assert sum(length <= found.high for length in lengths) >= 0.95 * len(lengths)


def test_percentiles_by_hand():
    # 100 texts: 5 of length 1, 45 of length 2, 45 of length 3, 5 of length 9
    found = of_counts(np.array([1, 2, 3, 9]), np.array([5, 45, 45, 5]))

    assert (found.low, found.median, found.high, found.longest) == (1, 2, 3, 9)
