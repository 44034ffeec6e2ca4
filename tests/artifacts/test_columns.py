"""Declared columns as Arrow schemas, and the check of a file's schema against them."""

import pyarrow as pa
import pytest

from flanbuild.artifacts.columns import arrow_schema, check_schema, class_names, conform, hub_schema
from flanbuild.errors import SourceError


def test_the_datasets_library_reads_the_metadata_as_the_declared_types(tasks):
    datasets = pytest.importorskip("datasets", reason="flanbuild[hub] is not installed")
    for task in tasks.values():
        features = datasets.Features.from_arrow_schema(hub_schema(task))

        assert features.arrow_schema.equals(arrow_schema(task)), task.name
        if task.label_column:
            assert tuple(features[task.label_column].names) == task.labels


def test_class_names_are_those_of_the_metadata(tasks):
    assert class_names(hub_schema(tasks["rte"]), "label") == ["entailment", "not_entailment"]
    assert class_names(arrow_schema(tasks["rte"]), "label") is None


def test_other_class_names_are_an_error(tasks):
    reversed_labels = tasks["rte"].model_copy(update={"labels": tasks["rte"].labels[::-1]})

    with pytest.raises(SourceError, match=r"rte.yaml: labels: expected .*, but a file column 'label' has"):
        check_schema(tasks["rte"], hub_schema(reversed_labels), "a file")


def test_a_column_may_be_wider_than_declared(tasks):
    task = tasks["rte"]
    wide = pa.schema([("premise", pa.large_string()), ("hypothesis", pa.string()), ("label", pa.int32())])
    table = pa.table([["a"], ["b"], [1]], schema=wide)

    check_schema(task, wide, "a file")

    assert conform(task, table, "a file").schema.equals(arrow_schema(task))


def test_a_struct_without_a_declared_member_is_an_error(tasks):
    task = tasks["squad/v1"]
    columns = {field.name: field.type for field in arrow_schema(task)}
    columns["answers"] = pa.struct([("answer_start", pa.list_(pa.int32()))])

    with pytest.raises(
        SourceError, match=r"columns.answers: expected struct<text: .*, but a file has struct"
    ):
        check_schema(task, pa.schema(columns), "a file")


# --- values ----------------------------------------------------------------------------------------------------------


def labelled(tasks, labels):
    """Rows of rte with these labels, conformed."""
    rows = len(labels)
    table = pa.table({"premise": ["a"] * rows, "hypothesis": ["b"] * rows, "label": labels})
    return conform(tasks["rte"], table, "a file").column("label").to_pylist()


@pytest.mark.parametrize(
    "labels",
    [
        pa.array(["not_entailment", None, "entailment", "", "1"]),
        pa.array([1.0, None, 0.0, float("nan"), 1.0]),
        pa.array([1, None, 0, None, 1], pa.uint8()),
        pa.array([True, None, False, None, True]),
        pa.array(["not_entailment", None, "entailment", None, "not_entailment"]).dictionary_encode(),
        pa.array([1, None, 0, None, 1], pa.int16()).dictionary_encode(),
        pa.array([1, None, 0, None, 1]).cast(pa.decimal128(20, 1)),
        pa.array(["not_entailment", None, "entailment", None, "1.0"], pa.large_string()),
    ],
    ids=[
        "words",
        "floats",
        "small",
        "booleans",
        "categories",
        "encoded numbers",
        "decimals",
        "large strings",
    ],
)
def test_a_label_may_be_a_word_a_boolean_a_category_or_a_whole_float(labels, tasks):
    assert labelled(tasks, labels) == [1, None, 0, None, 1]


def test_null_and_minus_one_mean_unlabelled(tasks):
    assert labelled(tasks, pa.array([-1, None, 0])) == [-1, None, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2, 1], r"row 1: found class 2, expected 0 to 1 \(entailment, not_entailment\), or null or -1"),
        ([0, 99, -5], r"row 1: found class -5, 99, expected 0 to 1 .*; do the labels count from 1\?$"),
        ([0.0, 0.9], r"row 1: expected a class, found 0.9"),
        (["entailment", "entailmnt"], r"row 1: no class 'entailmnt'. Did you mean 'entailment'\?$"),
    ],
)
def test_a_label_outside_its_range_is_a_fault_with_its_row(labels, message, tasks):
    with pytest.raises(SourceError, match=rf"rte.yaml: columns.label: a file: {message}"):
        labelled(tasks, pa.array(labels))


def test_a_boolean_is_the_class_that_means_it(tasks):
    for names, ids in ((("yes", "no"), [0, 1]), (("false", "true"), [1, 0]), (("bad", "good"), [1, 0])):
        task = tasks["rte"].model_copy(update={"labels": names})
        table = pa.table({"premise": ["a", "b"], "hypothesis": ["a", "b"], "label": [True, False]})

        assert conform(task, table, "a file").column("label").to_pylist() == ids


def test_a_class_that_is_called_minus_one_is_not_taken_for_unlabelled(tasks):
    task = tasks["rte"].model_copy(update={"labels": ("-1", "0", "1")})
    table = pa.table({"premise": ["a", "b"], "hypothesis": ["a", "b"], "label": [0, -1]})

    with pytest.raises(
        SourceError, match=r"row 1: the number -1 means unlabelled, but a class is called '-1'"
    ):
        conform(task, table, "a file")


def test_a_word_in_another_normal_form_is_its_class(tasks):
    task = tasks["rte"].model_copy(update={"labels": ("rot", "gr\u00fcn")})
    table = pa.table({"premise": ["a"], "hypothesis": ["b"], "label": ["gru\u0308n"]})

    assert conform(task, table, "a file").column("label").to_pylist() == [1]


@pytest.fixture
def conformed(tasks):
    """One column of a declared type, conformed from some array."""

    def rows(kind, values):
        task = tasks["rte"].model_copy(update={"columns": {"x": kind}, "labels": ()})
        return conform(task, pa.table({"x": values}), "a file", 100).column("x").to_pylist()

    return rows


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("string", pa.array(["a", None]).dictionary_encode(), ["a", None]),
        ("string", pa.array([0], pa.date32()), ["1970-01-01"]),
        ("string", pa.array(["1.50"]).cast(pa.decimal128(5, 2)), ["1.50"]),
        ("int64", pa.array([3.0, None]), [3, None]),
        ("int8", pa.array([3], pa.uint64()), [3]),
        ("float64", pa.array([3], pa.int32()), [3.0]),
        ("float32", pa.array([float("inf"), 0.5]), [float("inf"), 0.5]),
        (["string"], pa.array([["a"], None], pa.large_list(pa.large_string())), [["a"], None]),
    ],
)
def test_a_value_that_does_not_change_is_converted(kind, values, expected, conformed):
    assert conformed(kind, values) == expected


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("int64", pa.array([1.0, 2.5]), r"row 101: expected int64, found 2.5"),
        ("float32", pa.array([0.0, 1e-60]), r"row 101: expected float, found 1e-60"),
        ("string", pa.array([1], pa.duration("s")), r"expected string, but a file has duration"),
        ("int8", pa.array([1, 2, 300]), r"row 102: expected int8, found 300"),
        ("float32", pa.array([0.1, 1e300]), r"row 101: expected float, found 1e\+300"),
        (
            ["float32"],
            pa.array([[0.1], [0.1, 1e300]]),
            r"row 101: expected list<float>, found \[0.1, 1e\+300\]",
        ),
        (
            "string",
            pa.array([b"a", b"\xff"]).view(pa.string()),
            r"row 101: expected string, found bytes that are not UTF-8",
        ),
        ("int64", pa.array(["1"]), r"expected int64, but a file has string"),
        ("bool", pa.array([1]), r"expected bool, but a file has int64"),
        ("string", pa.array([1]), r"expected string, but a file has int64"),
        (["string"], pa.array(["ab"]), r"expected list<string>, but a file has string"),
    ],
)
def test_a_value_that_would_change_is_a_fault_with_its_row(kind, values, message, conformed):
    with pytest.raises(SourceError, match=message):
        conformed(kind, values)


def test_two_columns_of_one_name_are_told(tasks):
    twice = pa.schema([("premise", pa.string()), ("premise", pa.string()), ("label", pa.int64())])

    with pytest.raises(SourceError, match=r"columns.premise: a file has 2 columns 'premise'"):
        check_schema(tasks["rte"], twice, "a file")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"info": 5}', b"\xff", b'{"info": {"features": {"label": 3}}}']
)
def test_metadata_that_the_datasets_library_did_not_write_has_no_class_names(body, tasks):
    schema = arrow_schema(tasks["rte"]).with_metadata({"huggingface": body})

    assert class_names(schema, "label") is None
    check_schema(tasks["rte"], schema, "a file")
