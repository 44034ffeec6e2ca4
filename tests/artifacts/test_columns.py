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
