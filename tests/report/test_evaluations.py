"""Evaluations whose numbers cannot be compared are refused in one sentence, before any work."""

import shutil

import pytest
from evaluation_folder import HUB, change, write_evaluation

from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.report.evaluations import read_evaluations


@pytest.fixture
def pair(tmp_path):
    return [write_evaluation(tmp_path / name) for name in ("a", "b")]


def test_evaluations_are_sorted_by_name(pair):
    assert [evaluation.name for evaluation in read_evaluations(reversed(pair))] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"protocol": "t0"}, "protocol is flan in the first and t0 in the second"),
        ({"config": {"examples": 20, "templates": 3}}, "templates is 2 in the first and 3 in the second"),
        ({"config": {"templates": 2}}, "examples is 20 in the first and all in the second"),
        (
            {"evaluation_sets": {"rte": {"test": "9" * 32}}},
            "the test set of rte is 1111111111111111 in the first and 9999999999999999 in the second",
        ),
        ({"sources": {"rte": HUB}}, "source of the rows is sample in the first and hub in the second"),
    ],
)
def test_unlike_evaluations_are_refused_with_what_differs(pair, changes, what):
    change(pair[1], **changes)

    with pytest.raises(DeclarationError, match=rf"a and .*b cannot be compared: {what};") as caught:
        read_evaluations(pair)

    assert str(caught.value).count("\n") == 0


def test_other_hold_outs_and_other_models_can_be_compared(pair):
    change(pair[1], holdout=("sentiment",), evaluation_sets={"sst2": {"test": "9" * 32}})

    assert len(read_evaluations(pair)) == 2


def test_every_two_of_them_are_compared(pair, tmp_path):
    # a shares no task with the others, whose sets differ
    change(pair[0], evaluation_sets={"sst2": {"test": "3" * 32}})
    third = write_evaluation(tmp_path / "c", evaluation_sets={"rte": {"test": "9" * 32}})

    with pytest.raises(DeclarationError, match=r"b and .*c cannot be compared"):
        read_evaluations([*pair, third])


def test_two_evaluations_of_one_name_are_refused(pair, tmp_path):
    other = shutil.copytree(pair[0], tmp_path / "other" / "a")

    with pytest.raises(DeclarationError, match="have one name"):
        read_evaluations([pair[0], other])


def test_the_name_is_that_of_the_folder_from_wherever_it_is_given(pair, monkeypatch):
    monkeypatch.chdir(pair[0])

    assert read_evaluations([pair[0].relative_to(pair[0])])[0].name == "a"


def test_a_folder_without_scores_is_named(pair, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ArtifactError, match=r"empty: no scores\.json"):
        read_evaluations([*pair, tmp_path / "empty"])


def test_nothing_to_report_is_an_error():
    with pytest.raises(DeclarationError, match="no folder"):
        read_evaluations([])
