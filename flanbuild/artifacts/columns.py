"""The upstream columns that a task file declares, as an Arrow schema, and the check of a table against them."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts.values import Misfit, sentence, show, to_labels
from flanbuild.declare.task import CLASS_LABEL, Task
from flanbuild.errors import SourceError, nearest

_SCALARS = {
    "string": pa.string(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    CLASS_LABEL: pa.int64(),
}


def arrow_schema(task: Task) -> pa.Schema:
    """The declared columns in their order. A class_label is an int64, as in the hub's files."""
    return pa.schema([(name, _arrow_type(kind)) for name, kind in task.columns.items()])


def hub_schema(task: Task) -> pa.Schema:
    """`arrow_schema` with the metadata that the `datasets` library writes: the features with their class names."""
    features = {name: _feature(kind, task.labels) for name, kind in task.columns.items()}
    return arrow_schema(task).with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def check_schema(task: Task, actual: pa.Schema, source: str) -> None:
    """Raises SourceError if a declared column is missing, has another kind of type, or other class names.

    Widths may differ (a large_string for a string, an int64 for an int32): `conform` casts them, and refuses a value
    that would change. Dates and decimals fit a string; words, booleans and numbers fit a class_label. `source` names
    the split and its origin in the message.
    """
    for field in arrow_schema(task):
        indices = actual.get_all_field_indices(field.name)
        if not indices:
            hint = nearest(field.name, actual.names)
            raise SourceError(
                f"{task.path}: columns.{field.name}: {source} has no column '{field.name}'.{hint}"
            )
        if len(indices) > 1:
            raise SourceError(
                f"{task.path}: columns.{field.name}: {source} has {len(indices)} columns '{field.name}'."
            )
        actual_type = actual.field(indices[0]).type
        label = field.name == task.label_column
        if not (_is_label(actual_type) if label else _castable(actual_type, field.type)):
            raise SourceError(
                f"{task.path}: columns.{field.name}: expected {CLASS_LABEL if label else _show(field.type)}, "
                f"but {source} has {_show(actual_type)}."
            )
    _check_classes(task, actual, source)


def conform(task: Task, table: pa.Table, source: str, first_row: int = 0) -> pa.Table:
    """The declared columns alone, in their order and types, with class ids in the label column.

    Checks the schema first. Raises SourceError with the column, the row and the value that does not fit its type: a
    number that is not whole or too large, a class id outside 0 to n - 1 (null and -1 mean unlabelled), text that is
    not UTF-8. `first_row` is the number of the table's first row in its file.
    """
    check_schema(task, table.schema, source)
    arrays = []
    for field in arrow_schema(task):
        column = table.column(field.name)
        try:
            if field.name == task.label_column:
                arrays.append(_class_ids(column, task.labels))
            else:
                arrays.append(_cast(column, field.type))
        except Misfit as misfit:
            row = f"row {first_row + misfit.index:,}: " if misfit.index >= 0 else ""
            raise SourceError(
                f"{task.path}: columns.{field.name}: {source}: {row}{sentence(misfit.sentence)}"
            ) from None
    return pa.table(arrays, schema=arrow_schema(task))


def class_names(schema: pa.Schema, column: str) -> list[str] | None:
    """The class names of a label column in the metadata of the `datasets` library, or None without them.

    Metadata that is not what that library writes has no class names.
    """
    try:
        feature = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        return list(feature["names"]) if feature["_type"] == "ClassLabel" else None
    except (KeyError, TypeError, ValueError):
        return None


def _check_classes(task: Task, actual: pa.Schema, source: str) -> None:
    column = task.label_column
    names = class_names(actual, column) if column else None
    if names is not None and names != list(task.labels):
        raise SourceError(
            f"{task.path}: labels: expected {list(task.labels)}, but {source} column '{column}' has {names}."
        )


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow_type(inner)) for name, inner in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow_type(kind[0]))
    return _SCALARS[kind]


def _feature(kind: Any, labels: Sequence[str]) -> Any:
    """A declared type as the `datasets` library describes it in JSON."""
    if isinstance(kind, dict):
        return {name: _feature(inner, labels) for name, inner in kind.items()}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0], labels), "_type": "List"}
    if kind == CLASS_LABEL:
        return {"names": list(labels), "_type": "ClassLabel"}
    return {"dtype": kind, "_type": "Value"}


def _class_ids(column: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray:
    """Class ids for ids, words, booleans and whole floats; only the distinct values are converted one by one."""
    if pa.types.is_integer(column.type) and _in_range(column, len(names)) and "-1" not in names:
        return column.cast(pa.int64())
    if pa.types.is_null(column.type):
        return column.cast(pa.int64())
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = pc.unique(column)
    try:
        ids = pa.array(to_labels(values.to_pylist(), names), pa.int64())
    except Misfit as misfit:
        index = pc.index(column, values[misfit.index]).as_py()
        raise Misfit(index, "", misfit.sentence) from None
    return pa.chunked_array([ids.take(pc.index_in(column, value_set=values).combine_chunks())])


def _in_range(column: pa.ChunkedArray, classes: int) -> bool:
    extent = pc.min_max(column)
    low, high = extent["min"].as_py(), extent["max"].as_py()
    return low is None or (low >= -1 and high < classes)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column in the declared type. Raises Misfit for the first row that would change or is not text."""
    try:
        found = _cast_all(column, kind)
        if _has_strings(kind):
            found.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        index = _first_fault(column, kind)
        value = _value(column, index)
        reason = f"expected {_show(kind)}, found {value}" if value else str(error).splitlines()[0]
        raise Misfit(index, "", reason) from None
    return found


def _cast_all(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    found = column if column.type == kind else column.cast(kind)
    for before, after in zip(_floats(column), _floats(found), strict=False):
        if after.type.bit_width < before.type.bit_width and pc.sum(pc.is_inf(after)) != pc.sum(
            pc.is_inf(before)
        ):
            raise pa.ArrowInvalid("a number is too large")
        if after.type.bit_width < before.type.bit_width and pc.sum(pc.equal(after, 0)) != pc.sum(
            pc.equal(before, 0)
        ):
            raise pa.ArrowInvalid("a number is too small")
    return found


def _first_fault(column: pa.ChunkedArray, kind: pa.DataType) -> int:
    """The first row that cannot be cast, found by halving; -1 if no row alone is at fault."""
    low, high = 0, len(column)
    if not high:
        return -1
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _cast_all(_copied(column.slice(low, middle - low)), kind).validate(full=True)
            low = middle
        except (pa.ArrowException, UnicodeDecodeError):
            high = middle
    return low


def _copied(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A slice without the rows around it, since a cast looks at all values of a nested slice's child."""
    return pa.chunked_array([column.combine_chunks().take(pa.array(range(len(column))))], column.type)


def _value(column: pa.ChunkedArray, index: int) -> str:
    """A value for a message, or an empty text if it is not text."""
    if index < 0:
        return ""
    try:
        return show(column[index].as_py())
    except (UnicodeDecodeError, ValueError):
        return "bytes that are not UTF-8"


def _floats(column: Any) -> Iterator[Any]:
    """The arrays of floats within a column, in a fixed order."""
    kind = column.type
    if pa.types.is_floating(kind):
        yield column
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            if _has_floats(kind.field(i).type):
                yield from _floats(pc.struct_field(column, [i]))
    elif _is_list(kind) and _has_floats(kind):
        yield from _floats(pc.list_flatten(column))


def _has_floats(kind: pa.DataType) -> bool:
    return _has(kind, pa.types.is_floating)


def _has_strings(kind: pa.DataType) -> bool:
    return _has(kind, pa.types.is_string)


def _has(kind: pa.DataType, wanted: Callable[[pa.DataType], bool]) -> bool:
    if wanted(kind):
        return True
    return any(_has(kind.field(i).type, wanted) for i in range(kind.num_fields))


def _is_label(actual: pa.DataType) -> bool:
    """Whether values of the type can be class ids or class names."""
    if pa.types.is_dictionary(actual):
        return _is_label(actual.value_type)
    return bool(
        pa.types.is_null(actual) or pa.types.is_boolean(actual) or _is_string(actual) or _is_number(actual)
    )


def _castable(actual: pa.DataType, declared: pa.DataType) -> bool:
    """Whether values of one type can be of the other without change. A column of nulls has every type."""
    if pa.types.is_null(actual):
        return True
    if pa.types.is_struct(declared):
        if not pa.types.is_struct(actual):
            return False
        names = {actual.field(i).name: actual.field(i).type for i in range(actual.num_fields)}
        return all(
            declared.field(i).name in names
            and _castable(names[declared.field(i).name], declared.field(i).type)
            for i in range(declared.num_fields)
        )
    if pa.types.is_list(declared):
        return _is_list(actual) and _castable(actual.value_type, declared.value_type)
    if pa.types.is_dictionary(actual):
        return _castable(actual.value_type, declared)
    if pa.types.is_string(declared):
        date = pa.types.is_temporal(actual) and not pa.types.is_duration(actual)
        return _is_string(actual) or date or pa.types.is_decimal(actual)
    if pa.types.is_integer(declared) or pa.types.is_floating(declared):
        return _is_number(actual)
    return bool(pa.types.is_boolean(declared) and pa.types.is_boolean(actual))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _show(kind: pa.DataType) -> str:
    return str(kind).replace("element: ", "").replace("item: ", "")
