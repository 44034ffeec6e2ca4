"""From upstream columns to examples: fields, options, answer, references, and why a row is left out.

The page's SQL becomes polars expressions; nothing runs until a frame is collected, so `check_expressions`
finds every fault of a page on a frame without rows.
"""

from collections.abc import Iterable, Iterator, Mapping

import polars as pl
from polars.exceptions import PolarsError

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.document import Keys
from flanbuild.declare.expression import expression_faults
from flanbuild.declare.task import ANSWER, OPTIONS, Task, placeholders
from flanbuild.errors import DeclarationError, nearest
from flanbuild.render.preprocessors import PREPROCESSORS, SOURCE_ROW
from flanbuild.render.templates import options_block

ROW, DROPPED, CHOICES, ANSWERS = "_row", "_dropped", "_options", "_answers"
"""Columns beside a task's fields, `answer` and `options_`; no field can be called so."""


def examples(task: Task, raw: pl.LazyFrame, rows: pl.Series | None = None) -> pl.LazyFrame:
    """Each raw row, or those whose index is in `rows`, with its fields as strings, `answer` and `options_`.

    `_row` is the index after preprocessing, `_source_row` before it, `_dropped` the reason why a row is left out (null: it stays),
    `_options` and `_answers` are lists. Raises DeclarationError for an expression that can't be.
    """
    frame = _rows(task, raw)
    if rows is not None:
        frame = frame.filter(pl.col(ROW).is_in(rows.implode()))
    columns = frame.collect_schema()
    made = {name: _as_text(task, ("fields", name), sql, columns) for name, sql in task.fields.items()}
    options = _options(task, columns)
    if options is not None:
        made[CHOICES] = options
    if (answer := _answer(task, columns, options)) is not None:
        made[ANSWER] = answer
        made[ANSWERS] = _answers(task, columns, answer)
    made[DROPPED] = _failed_condition(task, columns)
    frame = frame.select(ROW, SOURCE_ROW, **made)
    frame = frame.with_columns(pl.coalesce(DROPPED, _incomplete(task)).alias(DROPPED))
    return frame if options is None else frame.with_columns(options_block(pl.col(CHOICES)))


def check_expressions(tasks: Iterable[Task]) -> list[str]:
    """The faults that only polars sees: SQL, unknown columns, types. Reads no data."""
    faults: dict[str, None] = {}  # in order, each once: subsets share their page's
    for task in tasks:
        faults |= dict.fromkeys(_faults(task))
    return list(faults)


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
        frame = frame.with_columns(pl.col(column).replace_strict(names, default=None, return_dtype=pl.String))
    if task.preprocess is None:
        return frame.with_row_index(ROW).with_columns(
            pl.col(ROW).cast(pl.Int64).alias(SOURCE_ROW), pl.col(ROW).cast(pl.Int64)
        )
    frame = PREPROCESSORS[task.preprocess](frame.with_row_index(SOURCE_ROW))
    return frame.with_row_index(ROW).with_columns(pl.col(ROW, SOURCE_ROW).cast(pl.Int64))


def _sql(task: Task, keys: Keys, sql: str, columns: Mapping[str, pl.DataType]) -> tuple[pl.Expr, pl.DataType]:
    """The expression and its type. Raises DeclarationError naming the place, the column, the nearest one."""
    faults = task.faults()
    for fault in expression_faults(sql):
        faults.add(keys, fault)
    if faults:
        raise DeclarationError(*faults)
    try:
        expression = pl.sql_expr(sql)
        for name in expression.meta.root_names():
            if name not in columns:
                faults.add(keys, f"no column '{name}' in `{sql}`.{nearest(name, columns)}")
        if not faults:
            return expression, pl.LazyFrame(schema=dict(columns)).select(_=expression).collect_schema()["_"]
    except PolarsError as error:
        faults.add(keys, f"`{sql}` is not an expression over the columns: {_first_line(error)}.")
    raise DeclarationError(*faults)


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
    faults.add(keys, f"`{sql}` is of type {found}; needed is {allowed}.")
    return DeclarationError(*faults)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
