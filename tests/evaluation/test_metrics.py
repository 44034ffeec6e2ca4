import math
import subprocess
import sys

import pytest

from flanbuild.declare.metrics import METRICS, Metric, packages
from flanbuild.errors import FlanbuildError
from flanbuild.evaluation.metrics import require_metrics, score

pytestmark = pytest.mark.needs("train")


def test_accuracy_takes_any_reference_and_ignores_outer_blanks():
    assert score(
        "accuracy", ["yes ", "no", "maybe"], [["yes"], ["yes"], ["perhaps", "maybe"]]
    ) == pytest.approx(200 / 3)


def test_exact_match_ignores_how_words_are_parted():
    assert score("exact_match", ["two\n words"], [["two words"]]) == 100


def test_f1_is_of_the_last_option():
    # yes: 2 predicted, 2 true, 1 of them right: precision 1/2, recall 1/2.
    given = ["yes", "yes", "no", "no"], [["yes"], ["no"], ["yes"], ["no"]]
    assert score("f1", *given, options=["no", "yes"]) == pytest.approx(50)
    # no: 2 predicted, 2 true, 1 right.
    assert score("f1", ["no", "no", "no", "no"], given[1], options=["yes", "no"]) == pytest.approx(200 / 3)


def test_macro_f1_weighs_classes_alike():
    # a: 2 true, 2 right, 3 predicted: 4/5. b: 2 true, 1 right, 1 predicted: 2/3.
    assert score("macro_f1", ["a", "a", "a", "b"], [["a"], ["a"], ["b"], ["b"]]) == pytest.approx(
        100 * (4 / 5 + 2 / 3) / 2
    )


def test_macro_f1_knows_classes_by_the_references_alone():
    assert score("macro_f1", ["a", "stray"], [["a"], ["a"]]) == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("prediction", "reference", "em"),
    [
        ("The Beatles!", "beatles", 100),
        ("an  apple", "Apple.", 100),
        ("ten", "10", 0),
        ("theatre", "atre", 0),
    ],
)
def test_squad_ignores_case_punctuation_and_articles(prediction, reference, em):
    assert score("squad_em", [prediction], [[reference]]) == em


def test_squad_f1_is_the_overlap_with_the_nearest_reference():
    # "in black forest" against "black forest in germany": 3 common of 3 and 4 words.
    assert score(
        "squad_f1", ["in the Black Forest"], [["Berlin", "Black Forest in Germany"]]
    ) == pytest.approx(600 / 7)


def test_squad_f1_of_two_empty_answers_is_full():
    assert score("squad_f1", ["the", "the"], [["a"], ["a dog"]]) == 50


def test_bleu_of_the_reference_is_full_and_of_nothing_none():
    text = "the quick brown fox jumps over the dog"
    assert score("bleu", [text], [[text]]) == pytest.approx(100)
    assert score("bleu", [""], [[text]]) == 0


def test_bleu_by_hand():
    # 5 words against 5: 1- to 4-grams right are 4/5, 3/4, 2/3, 1/2; same length, so no brevity penalty.
    assert score("bleu", ["a b c d x"], [["a b c d e"]]) == pytest.approx(
        100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    )


def test_bleu_rows_may_differ_in_references():
    assert score("bleu", ["a b c d", "e f g h"], [["a b c d"], ["x x x x", "e f g h"]]) == pytest.approx(100)


def test_rouge_takes_the_best_reference_for_each_kind():
    # rouge1 against "the cat sat": 2 common of 2 and 3 words. rouge2: 1 of 1 and 2.
    given = ["the cat"], [["a dog", "the cat sat"]]
    assert score("rouge1", *given) == pytest.approx(80)
    assert score("rouge2", *given) == pytest.approx(200 / 3)


def test_rouge_lsum_matches_sentence_by_sentence():
    given = ["two here . one there"], [["one there . two here"]]
    assert score("rougeLsum", *given) == pytest.approx(100)


def test_correlations():
    numbers = ["1", "2", "3", "5"], [["1"], ["2"], ["3"], ["4"]]
    assert score("spearman", *numbers) == pytest.approx(1)
    # deviations: predictions -1.75 -0.75 0.25 2.25, references -1.5 -0.5 0.5 1.5
    assert score("pearson", *numbers) == pytest.approx(6.5 / math.sqrt(8.75 * 5))


def test_a_constant_answer_correlates_with_nothing():
    assert score("pearson", ["3", "3"], [["1"], ["2"]]) == 0


def test_what_is_no_number_is_read_as_minus_one():
    assert score("pearson", ["none", "0", "nan"], [["-1"], ["0"], ["-1"]]) == pytest.approx(1)


def test_edit_distance_counts_words():
    # "hello there world" to "hello world": one word to delete. "a b" to "c d": two to replace.
    assert score("edit_distance", ["Hello there, world", "a b"], [["hello world"], ["c d"]]) == 1.5


def test_a_missing_reference_is_no_silent_zip():
    with pytest.raises(ValueError, match="zip"):
        score("accuracy", ["a", "b"], [["a"]])


@pytest.mark.parametrize("name", METRICS)
def test_every_declared_metric_gives_its_best_value_to_right_predictions(name):
    texts = ["3 4 5 6", "4 5 6 7", "yes yes yes yes"] if METRICS[name].percentage else ["1", "2", "3", "4"]

    best = 100 if METRICS[name].percentage else 1 if METRICS[name].higher_is_better else 0
    assert score(name, texts, [[text] for text in texts], options=["no", texts[-1]]) == pytest.approx(best)


def test_a_metric_is_found_by_its_dotted_path(monkeypatch):
    # A stranger's metric: one entry that names a function anywhere.
    entry = Metric("similarity", "flanbuild.evaluation.metrics:squad_f1", "under another name")
    monkeypatch.setitem(METRICS, entry.name, entry)

    assert score("similarity", ["the end"], [["end"]]) == 100


def test_packages_of_several_metrics_are_named_once():
    assert packages(["rouge1", "f1", "rouge2", "accuracy"]) == ("rouge-score", "scikit-learn")


def test_a_missing_package_of_a_metric_is_one_sentence_with_the_command_to_install_it(monkeypatch):
    monkeypatch.setitem(METRICS, "new", Metric("new", "a:b", "…", packages=("no-such-package",)))

    with pytest.raises(FlanbuildError) as caught:
        require_metrics(["accuracy", "new"])

    assert str(caught.value) == (
        "Computing accuracy, new needs no-such-package: pip install 'flanbuild[train]'."
    )


@pytest.mark.parametrize("module", ["flanbuild.evaluation.metrics", "flanbuild.declare.metrics"])
def test_importing_metrics_loads_no_numeric_library(module):
    heavy = ("torch", "numpy", "scipy", "sklearn", "sacrebleu", "rouge_score")
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {heavy}))"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
