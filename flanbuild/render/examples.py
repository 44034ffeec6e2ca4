"""From upstream columns to examples: fields, options, answer, references, and why a row is left out.

The SQL of a task file becomes polars expressions. Nothing runs until a frame is collected, so `check_expressions`
finds every fault of a task file on a frame without rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import polars as pl
from polars.exceptions import PolarsError

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.document import Keys
from flanbuild.declare.expression import expression_faults, is_text, reason, shown
from flanbuild.declare.task import ANSWER, OPTIONS, Task, placeholders
from flanbuild.declare.task_checks import RESERVED
from flanbuild.errors import DeclarationError, SourceError, nearest
from flanbuild.render.preprocessors import PREPROCESSORS, SOURCE_ROW
from flanbuild.render.templates import options_block

ROW, DROPPED, CHOICES, ANSWERS, LABEL_ID = "_row", "_dropped", "_options", "_answers", "_label_id"
"""Columns beside a task's fields, `answer` and `options_`; no field can be called so."""
UNLABELLED = -1
"""The class id or answer index of a row without one; null means the same."""
_LABEL_OUT, _ANSWER_OUT = "label out of range: ", "answer out of range: "


def examples(task: Task, raw: pl.LazyFrame, rows: pl.Series | None = None) -> pl.LazyFrame:
    """Each raw row, or those whose index is in `rows`, with its fields as strings, `answer` and `options_`.

    `_row` is the index after preprocessing, `_source_row` before it, `_dropped` the reason why a row is left out (null: it
    stays), `_options` and `_answers` are lists. Raises DeclarationError for an expression that is not allowed, and for
    one that does not fit the columns. `check_ranges` finds labels and answers outside their range among the reasons.
    """
    frame = _rows(task, raw)
    if rows is not None:
        frame = frame.filter(pl.col(ROW).is_in(rows.implode()))
    columns = frame.collect_schema()
    values = {name: _as_text(task, ("fields", name), sql, columns) for name, sql in task.fields.items()}
    options = _options(task, columns)
    if options is not None:
        values[CHOICES] = options
    if (answer := _answer(task, columns, options)) is not None:
        values[ANSWER] = answer
        values[ANSWERS] = _answers(task, columns, answer)
    values[DROPPED] = pl.coalesce(
        _label_out_of_range(task, columns),
        _failed_condition(task, columns),
        _answer_out_of_range(task, columns, options),
    )
    frame = frame.select(ROW, SOURCE_ROW, **values)
    frame = frame.with_columns(pl.coalesce(DROPPED, _incomplete(task)).alias(DROPPED))
    return frame if options is None else frame.with_columns(options_block(pl.col(CHOICES)))


def texts(task: Task, raw: pl.LazyFrame, rows: pl.Series | None = None) -> pl.LazyFrame:
    """All texts of each raw row, or of those whose index is in `rows`: columns, fields, options and answer, by name.

    Beside `_row` and `_source_row`, `column NAME` has a declared column of strings (a list is joined by newlines) and
    `field NAME` a field that is more than a column. Fields and options are what is trained on; columns are what they
    were before preprocessing. Rows that `where` drops are there too.
    """
    frame = _rows(task, raw)
    if rows is not None:
        frame = frame.filter(pl.col(ROW).is_in(rows.implode()))
    columns = frame.collect_schema()
    values = {}
    for name in task.columns:
        kind = columns.get(name)
        if kind == pl.String and name != task.label_column:
            values[column_text(name)] = pl.col(name)
        elif kind == pl.List(pl.String) and (task.preprocess is None or name in _in_roles(task)):
            values[column_text(name)] = pl.col(name).list.join("\n", ignore_nulls=True)
    for name, sql in task.fields.items():
        if column_text(sql.strip()) not in values:
            values[field_text(name)] = _as_text(task, ("fields", name), sql, columns)
    options = _options(task, columns)
    if options is not None and not isinstance(task.options, Mapping):
        values[OPTIONS] = options.list.join("\n", ignore_nulls=True)
    if options is None and task.answer is not None and column_text(task.answer.strip()) not in values:
        values[ANSWER] = _as_text(task, (ANSWER,), task.answer, columns)
    return frame.select(ROW, SOURCE_ROW, **values)


def column_text(name: str) -> str:
    """The name under which `texts` has a raw column."""
    return f"column {name}"


def field_text(name: str) -> str:
    """The name under which `texts` has a field that is more than a column."""
    return f"field {name}"


def _in_roles(task: Task) -> frozenset[str]:
    return frozenset((*task.roles.passage, *task.roles.question, *task.roles.answer))


def check_expressions(tasks: Iterable[Task]) -> list[str]:
    """The faults that only polars sees: SQL, unknown columns, types. Reads no data."""
    faults: dict[str, None] = {}  # in order, each once: subsets share those of their file
    for task in tasks:
        faults |= dict.fromkeys(_faults(task))
    return list(faults)


def check_ranges(task: Task, split: str, dropped: Mapping[str, int]) -> None:
    """Raises SourceError if rows are dropped (reason -> rows) because a label or an answer is out of its range.

    A label or an index that counts from 1 would otherwise lose its last class and shift all others.
    """
    faults = task.faults()
    for start, keys, kind in ((_LABEL_OUT, ("labels",), "label"), (_ANSWER_OUT, (ANSWER,), "answer")):
        counts = {why.removeprefix(start): rows for why, rows in dropped.items() if why.startswith(start)}
        if not counts:
            continue
        values = sorted(counts, key=lambda value: (-counts[value], value))
        listed = ", ".join(values[:5]) + (", …" if len(values) > 5 else "")
        rows = f"{sum(counts.values()):,} row{'s' if sum(counts.values()) > 1 else ''}"
        allowed = (
            f"0 to {len(task.labels) - 1}" if kind == "label" else "0 to the number of options minus one"
        )
        hint = f"Does the {kind} count from 1?" + (" Then subtract 1 in the expression." * (kind == "answer"))
        faults.add(
            keys,
            f"split {split} has the {kind} {listed} in {rows}; allowed are {allowed}, and null or {UNLABELLED} for a "
            f"row without one. {hint}",
        )
    if faults:
        raise SourceError("\n".join(faults))


@contextmanager
def row_errors(task: Task, split: str, raw: Callable[[], pl.LazyFrame]) -> Iterator[None]:
    """Turns an error of polars into a SourceError with task file, field, split and the first row that fails.

    `raw` opens the raw rows of the split; it is called only after an error.
    """
    try:
        yield
    except PolarsError as error:
        raise SourceError(_failing_row(task, split, raw(), error)) from None


def _failing_row(task: Task, split: str, raw: pl.LazyFrame, error: PolarsError) -> str:
    try:
        frame = _rows(task, raw).collect()
    except PolarsError as unreadable:
        return f"{task.path}: split {split} cannot be read: {reason(unreadable)}."
    for keys, sql in _expressions(task):
        expression = pl.sql_expr(sql)
        if (failure := _failure(frame, expression)) is None:
            continue
        first, last = 0, frame.height  # frame[:first] evaluates, frame[:last] does not
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (first, middle) if _failure(frame[:middle], expression) else (middle, last)
        row = frame.row(first, named=True)
        values = ", ".join(
            f"{name} is {_short(row[name])}" for name in dict.fromkeys(expression.meta.root_names())
        )
        faults = task.faults()
        faults.add(
            keys,
            f"`{shown(sql)}` fails at row {row[SOURCE_ROW]:,} of split {split}, where {values}: {reason(failure)}. "
            "TRY_CAST gives null where CAST fails.",
        )
        return faults[0]
    return f"{task.path}: split {split} cannot be rendered: {reason(error)}."


def _failure(frame: pl.DataFrame, expression: pl.Expr) -> PolarsError | None:
    try:
        frame.select(_=expression)
    except PolarsError as error:
        return error
    return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _faults(task: Task) -> Iterator[str]:
    empty = pl.DataFrame(arrow_schema(task).empty_table()).lazy()
    here = task.faults()
    if task.preprocess is not None and task.preprocess not in PREPROCESSORS:
        here.add(
            ("preprocess",), f"no preprocessor '{task.preprocess}'.{nearest(task.preprocess, PREPROCESSORS)}"
        )
        yield from here
        return
    columns = _rows(task, empty).collect_schema()
    for keys, sql in _expressions(task):
        try:
            _sql(task, keys, sql, columns)
        except DeclarationError as error:
            here.extend(error.faults)
    if not here:
        try:
            examples(task, empty).collect()
        except DeclarationError as error:
            here.extend(error.faults)
    yield from here


def _expressions(task: Task) -> Iterator[tuple[Keys, str]]:
    yield from ((("where", name), sql) for name, sql in task.where.items())
    yield from ((("fields", name), sql) for name, sql in task.fields.items())
    for key in ("options", "answer", "answers"):
        value = getattr(task, key)
        if isinstance(value, str):
            yield (key,), value
        elif isinstance(value, tuple):
            yield from (((key, i), sql) for i, sql in enumerate(value))


def _rows(task: Task, raw: pl.LazyFrame) -> pl.LazyFrame:
    """Declared columns, class ids as names (null where unlabelled), preprocessed, numbered."""
    frame = raw.select(list(task.columns))
    if (column := task.label_column) is not None:
        names = dict(enumerate(task.labels))
        classes = pl.col(column).replace_strict(names, default=None, return_dtype=pl.String)
        frame = frame.with_columns(pl.col(column).alias(LABEL_ID), classes)
    if task.preprocess is None:
        return frame.with_row_index(ROW).with_columns(
            pl.col(ROW).cast(pl.Int64).alias(SOURCE_ROW), pl.col(ROW).cast(pl.Int64)
        )
    frame = PREPROCESSORS[task.preprocess](frame.with_row_index(SOURCE_ROW))
    return frame.with_row_index(ROW).with_columns(pl.col(ROW, SOURCE_ROW).cast(pl.Int64))


def _sql(task: Task, keys: Keys, sql: str, columns: Mapping[str, pl.DataType]) -> tuple[pl.Expr, pl.DataType]:
    """The expression and its type. Raises DeclarationError naming the place, the column, the nearest one."""
    faults = task.faults()
    found = expression_faults(sql)
    if found and (hint := _quoting_hint(sql, columns)):
        found = (hint,)
    for fault in found:
        faults.add(keys, fault)
    if faults:
        raise DeclarationError(*faults)
    try:
        expression = pl.sql_expr(sql)
        names = expression.meta.root_names()
        faults_of_names = [name for name in names if name not in columns or name in RESERVED]
        if faults_of_names and (hint := _quoting_hint(sql, columns)):
            faults.add(keys, hint)
        for name in [] if faults else faults_of_names:
            faults.add(keys, f"no column '{name}' in `{shown(sql)}`.{_column_hint(name, sql, columns)}")
        if keys[0] == "fields" and not names and not is_text(sql):
            faults.add(
                keys, f"`{shown(sql)}` reads no column; a field that is always the same is a text: 'French'."
            )
        if not faults:
            schema = {name: columns[name] for name in names}
            return expression, pl.LazyFrame(schema=schema).select(_=expression).collect_schema()["_"]
    except PolarsError as error:
        faults.add(keys, f"`{shown(sql)}` is not an expression over the columns: {reason(error)}.")
    raise DeclarationError(*faults)


def _quoting_hint(sql: str, columns: Iterable[str]) -> str:
    """A sentence if the expression is the name of a column that SQL reads as something else, such as `Review Text`."""
    name = sql.strip()
    if name in columns and name not in RESERVED:
        return f"column '{shown(name)}' is quoted in SQL: write '\"{shown(name)}\"'."
    inside = [column for column in columns if not column.isidentifier() and column in sql]
    if inside and f'"{inside[0]}"' not in sql:
        return (
            f"column '{shown(inside[0])}' is quoted in SQL: write \"{shown(inside[0])}\" in `{shown(sql)}`."
        )
    return ""


def _column_hint(name: str, sql: str, columns: Iterable[str]) -> str:
    hint = nearest(name, set(columns) - set(RESERVED))
    if name == sql.strip() and "Did you mean" not in hint:
        hint += f" A fixed text is written in single quotes: \"'{shown(name)}'\"."
    return hint


def _as_text(task: Task, keys: Keys, sql: str, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    expression, dtype = _sql(task, keys, sql, columns)
    if dtype == pl.String:
        return expression
    if dtype.is_integer():
        return expression.cast(pl.String)
    raise _wrong_type(
        task, keys, sql, dtype, "a string or a whole number; format it, for example CAST(… AS VARCHAR)"
    )


def _options(task: Task, columns: Mapping[str, pl.DataType]) -> pl.Expr | None:
    options = task.options
    if options is None:
        return None
    if isinstance(options, Mapping):
        words = pl.Series([[options[label] for label in task.labels]], dtype=pl.List(pl.String))
        return pl.lit(words).first()
    if isinstance(options, tuple):
        return pl.concat_list(_as_text(task, ("options", i), sql, columns) for i, sql in enumerate(options))
    expression, dtype = _sql(task, ("options",), options, columns)
    if dtype != pl.List(pl.String):
        raise _wrong_type(task, ("options",), options, dtype, "a list of strings")
    return expression


def _answer(task: Task, columns: Mapping[str, pl.DataType], options: pl.Expr | None) -> pl.Expr | None:
    """The text of the right answer: the option at a class or an index, or the text that SQL gives."""
    if task.answer is None:
        if options is None:
            return None
        label = pl.col(str(task.label_column))
        if isinstance(task.options, Mapping):
            return label.replace_strict(dict(task.options), default=None, return_dtype=pl.String)
        index = {name: i for i, name in enumerate(task.labels)}
        return options.list.get(
            label.replace_strict(index, default=None, return_dtype=pl.Int64), null_on_oob=True
        )
    expression, dtype = _sql(task, (ANSWER,), task.answer, columns)
    if dtype.is_integer() and options is not None:
        return options.list.get(pl.when(expression >= 0).then(expression.cast(pl.Int64)), null_on_oob=True)
    return _as_text(task, (ANSWER,), task.answer, columns)


def _label_out_of_range(task: Task, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    """A reason with the class id where it is none of the labels' and does not mean unlabelled; otherwise null."""
    if LABEL_ID not in columns:
        return pl.lit(None, pl.String)
    label = pl.col(LABEL_ID)
    return pl.when(~label.is_between(UNLABELLED, len(task.labels) - 1)).then(
        pl.concat_str(pl.lit(_LABEL_OUT), label.cast(pl.String))
    )


def _answer_out_of_range(task: Task, columns: Mapping[str, pl.DataType], options: pl.Expr | None) -> pl.Expr:
    """A reason with the index of the answer where no option has it and it does not mean unlabelled; otherwise null."""
    if task.answer is None or options is None:
        return pl.lit(None, pl.String)
    index, dtype = _sql(task, (ANSWER,), task.answer, columns)
    if not dtype.is_integer():
        return pl.lit(None, pl.String)
    index, count = index.cast(pl.Int64), options.list.len().cast(pl.Int64)
    return pl.when((index < UNLABELLED) | (index >= count)).then(
        pl.concat_str(pl.lit(_ANSWER_OUT), index.cast(pl.String), pl.lit(" of "), count.cast(pl.String))
    )


def _answers(task: Task, columns: Mapping[str, pl.DataType], answer: pl.Expr) -> pl.Expr:
    """The references to score against: a list; by default the answer alone."""
    if task.answers is None:
        return pl.concat_list(answer)
    if isinstance(task.answers, tuple):
        return pl.concat_list(
            _as_text(task, ("answers", i), sql, columns) for i, sql in enumerate(task.answers)
        )
    expression, dtype = _sql(task, ("answers",), task.answers, columns)
    if dtype == pl.List(pl.String):
        return expression
    return pl.concat_list(_as_text(task, ("answers",), task.answers, columns))


def _failed_condition(task: Task, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    """The name of the first `where` that is not true."""
    failed = []
    for name, sql in task.where.items():
        condition, dtype = _sql(task, ("where", name), sql, columns)
        if dtype != pl.Boolean:
            raise _wrong_type(task, ("where", name), sql, dtype, "true or false")
        failed.append(pl.when(~condition.fill_null(False)).then(pl.lit(f"not {name}")))
    return pl.coalesce(*failed) if failed else pl.lit(None, pl.String)


def _incomplete(task: Task) -> pl.Expr:
    """What is missing for the templates to be filled: an answer, a field, a target that says something."""
    reasons = []
    if task.options is not None:
        among = pl.col(CHOICES).list.contains(pl.col(ANSWER))
        reasons = [
            pl.when(pl.col(ANSWER).is_null()).then(pl.lit("no answer")),
            pl.when(pl.col(CHOICES).list.eval(pl.element().is_null()).list.any()).then(
                pl.lit("a null option")
            ),
            pl.when(~among.fill_null(False)).then(pl.lit("answer not among options")),
        ]
    elif task.answer is not None:
        reasons = [pl.when(pl.col(ANSWER).is_null()).then(pl.lit("no answer"))]
    reasons += [pl.when(pl.col(name).is_null()).then(pl.lit(f"no {name}")) for name in task.fields]
    targets = {name for template in task.templates for name in placeholders(template.targets)} - {OPTIONS}
    reasons += [
        pl.when(pl.col(name).str.strip_chars() == "").then(pl.lit(f"empty {name}"))
        for name in sorted(targets)
    ]
    return pl.coalesce(*reasons) if reasons else pl.lit(None, pl.String)


def _wrong_type(task: Task, keys: Keys, sql: str, found: pl.DataType, allowed: str) -> DeclarationError:
    faults = task.faults()
    faults.add(keys, f"`{shown(sql)}` is of type {found}; needed is {allowed}.")
    return DeclarationError(*faults)
