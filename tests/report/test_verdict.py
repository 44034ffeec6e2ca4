"""The verdict says what the interval says, and no more."""

from pathlib import Path

import pytest
from evaluation_folder import HUB, MATCH, SEARCHED, metric_scores, model_run, score_record

from flanbuild.report.evaluations import Evaluation
from flanbuild.report.verdict import lead, verdict


def evaluated(tuned: float, untuned: float | None = 40.0, rows: int = 20, **changes) -> Evaluation:
    scores = {"nli": {"rte": {"accuracy": metric_scores(tuned, untuned, rows)}}}
    return Evaluation("nli", Path(), score_record(scores=scores, **changes))


@pytest.mark.parametrize(
    ("tuned", "says"),
    [
        (60.0, "+20.0 [+9.0, +31.0], lies above 0: training helped on what was held out."),
        (45.0, "+5.0 [−6.0, +16.0], includes 0: these rows do not show that training helped"),
        (20.0, "−20.0 [−31.0, −9.0], lies below 0: training made the model worse"),
    ],
)
def test_the_interval_of_the_difference_decides(tuned, says):
    found = verdict(evaluated(tuned))

    assert f"Held out: nli. Mean over 1 task (n = 20 rows): tuned {tuned:.1f}, untuned 40.0." in found
    assert f"The 95 % interval of the difference, {says}" in found


@pytest.mark.parametrize(("tuned", "place"), [(60.0, "above"), (50.0, "not above")])
def test_the_most_common_answer_stands_beside_it(tuned, place):
    assert f"Always giving the most common answer scores 50.0; the tuned model is {place} it." in verdict(
        evaluated(tuned)
    )


def test_without_the_untuned_model_it_does_not_say_whether_training_helped():
    found = verdict(evaluated(60.0, None, not_asked={"untuned": "no such folder."}))

    assert "was not scored (no such folder), so these figures do not say whether training helped." in found


def test_few_rows_give_no_mean():
    assert "No held-out task has 20 rows or more" in verdict(evaluated(60.0, rows=19))


def test_a_model_that_always_answers_the_same_is_named():
    constant = model_run(constant={"rte": {"yes": 1, "no": 1}})

    found = verdict(evaluated(60.0, models={"tuned": constant}))

    assert (
        "In 1 of 1 held-out task the tuned model gives all rows the same answer, under every template."
        in found
    )


def test_trained_tasks_have_a_sentence_of_their_own():
    text = "Trained tasks, on rows that were not trained on: mean over 1 task (n = 20 rows): tuned 80.0, untuned 40.0"

    assert f"{text}, difference +40.0 [+29.0, +51.0]. The model learned" in verdict(evaluated(60.0))


def test_trained_tasks_of_few_rows_are_said_to_have_no_mean():
    seen = {"misc": {"trec": {"accuracy": metric_scores(80.0, rows=10)}}}

    assert "Trained tasks: none has 20 scored rows or more" in verdict(evaluated(60.0, seen=seen))


def test_a_model_that_flanbuild_did_not_train_is_said_to_be_so():
    named = model_run(name="org/model", revision="c" * 40, parameters=134_515_008)

    found = lead(evaluated(60.0, training=None, models={"tuned": named}))

    assert found.startswith("Model: org/model, 134,515,008 parameters, not trained by flanbuild.")


def test_a_fine_tuned_model_names_its_base():
    untuned = model_run(name="org/base", revision="c" * 40)
    training = score_record().training.model_copy(update={"base": "model"})

    found = lead(evaluated(60.0, training=training, models={"tuned": model_run(), "untuned": untuned}))

    assert "665,728 parameters, fine-tuned from org/base, trained for 100 steps on 3,923 examples" in found


def test_a_base_model_in_a_folder_has_no_name():
    training = score_record().training.model_copy(update={"base": "model"})

    assert "fine-tuned from a model in a folder, trained for" in lead(evaluated(60.0, training=training))


def test_scored_and_trained_rows_of_different_sources_are_told_apart():
    found = lead(evaluated(60.0, sources={"rte": HUB}))

    assert "scored rows: the datasets on the hub" in found
    assert "training rows: the embedded sample world, not the real datasets" in found


@pytest.mark.parametrize(
    ("rule", "reference", "said"), [("report", "rte", True), ("drop", "rte", False), ("report", "wsc", False)]
)
def test_test_rows_in_training_rows_are_named_unless_they_were_removed(rule, reference, said):
    match = MATCH.model_copy(update={"reference": reference})
    contamination = SEARCHED.model_copy(update={"rule": rule, "found": (match,)})

    found = verdict(evaluated(60.0, contamination=contamination))

    assert ("Training rows carry up to 83 test rows of scored tasks" in found) is said
