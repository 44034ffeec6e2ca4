"""Which SQL a task file may use: row-wise, deterministic expressions over the columns, and nothing else.

Expressions are parsed here first and held to a list of functions and operators; only then does polars see them.
Everything that reads files or servers, depends on other rows (aggregates, windows, subqueries), on the clock or on
chance, or makes text of unbounded length is refused.
"""

import re
from collections.abc import Iterator
from functools import cache

from flanbuild.errors import nearest

MAX_LENGTH = 2_000
"""Characters of one expression."""
MAX_NODES = 400
MAX_DEPTH = 60
MAX_GROWTH = 10_000
"""How many times as long as its row a text may become by replacements inside each other."""

FUNCTIONS = (
    "abs", "array_contains", "array_get", "array_length", "array_to_string", "array_upper", "btrim", "cast", "ceil",
    "coalesce", "concat", "concat_ws", "ends_with", "floor", "greatest", "ifnull", "initcap", "least", "left", "length",
    "lower", "ltrim", "nullif", "octet_length", "regexp_like", "regexp_replace", "replace", "reverse", "right", "round",
    "rtrim", "sign", "split_part", "starts_with", "strpos", "substr", "substring", "trim", "try_cast", "upper",
)  # fmt: skip
TYPES = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "UTINYINT", "USMALLINT", "UINT", "UBIGINT", "FLOAT", "DOUBLE",
    "VARCHAR", "TEXT",
)  # fmt: skip
_OPERATORS = (
    "Column", "Identifier", "Literal", "Boolean", "Null", "Paren", "DataType", "Dot", "Bracket", "Array", "Tuple",
    "And", "Or", "Not", "EQ", "NEQ", "GT", "GTE", "LT", "LTE", "Is", "In", "Between", "Like", "ILike", "RegexpILike",
    "Add", "Sub", "Mul", "Div", "IntDiv", "Mod", "Neg", "DPipe", "Case", "If", "Alias",
)  # fmt: skip
# What sqlglot calls the functions above, where the names differ.
_SQLGLOT_NAMES = {
    "array_size": "array_length",
    "str_position": "strpos",
    "try_cast": "try_cast",
    "ends_with": "ends_with",
}


def is_text(sql: str) -> bool:
    """Whether an expression is a text in single quotes, such as `'French'`, and reads no column."""
    return re.fullmatch(r"'(?:[^']|'')*'", sql.strip()) is not None


def shown(sql: str) -> str:
    """An expression for a message: one line of at most 120 characters, without control characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in sql)
    return line if len(line) <= 120 else line[:119] + "…"


def reason(error: Exception) -> str:
    """The first line of a library's message, without control characters and without a final full stop."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    line = re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip(".")
    return "".join(letter for letter in line if letter.isprintable())


@cache
def expression_faults(sql: str) -> tuple[str, ...]:
    """One sentence for each thing in an expression that is not allowed; none for an allowed expression."""
    return tuple(_faults(sql))


def _faults(sql: str) -> Iterator[str]:
    if len(sql) > MAX_LENGTH:
        yield f"the expression has {len(sql):,} characters; allowed are {MAX_LENGTH:,}."
        return
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        statements = parse(sql, dialect="postgres")
    except SqlglotError as error:
        yield f"`{shown(sql)}` is not a SQL expression: {reason(error)}."
        return
    except RecursionError:
        yield f"`{shown(sql)}` is nested too deeply."
        return
    if len(statements) != 1 or statements[0] is None:
        yield f"`{shown(sql)}` is not one SQL expression."
        return
    tree = statements[0]
    nodes = list(tree.walk())
    if len(nodes) > MAX_NODES or _depth(tree) > MAX_DEPTH:
        yield (
            f"`{shown(sql)}` has {len(nodes):,} parts at a depth of {_depth(tree):,}; allowed are {MAX_NODES} "
            f"parts and a depth of {MAX_DEPTH}."
        )
        return
    if (growth := _growth(tree)) > MAX_GROWTH:
        yield (
            f"`{shown(sql)}`: replacements inside each other can make a text {growth:,} times as long; allowed is "
            f"{MAX_GROWTH:,} times."
        )
        return
    if isinstance(tree, exp.Alias):
        yield f"`{shown(sql)}` gives its result another name; quote a column's name with \" if it begins with a digit."
        return
    faults = dict.fromkeys(fault for node in nodes for fault in _node_faults(node, sql))
    yield from faults


def _node_faults(node: object, sql: str) -> Iterator[str]:
    from sqlglot import exp

    kind = type(node).__name__
    if isinstance(node, exp.Func) and not isinstance(node, exp.Case | exp.If | exp.Array | exp.And | exp.Or):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        name = _SQLGLOT_NAMES.get(name, name)
        if name not in FUNCTIONS:
            yield f"`{shown(sql)}`: function {name} is not allowed.{nearest(name, FUNCTIONS)}"
        elif name.startswith("regexp_"):
            yield from _pattern_faults(node, sql)
    elif isinstance(node, exp.DataType):
        if node.this.name not in TYPES:
            yield f"`{shown(sql)}`: type {node.this.name} is not allowed.{nearest(node.this.name, TYPES)}"
    elif isinstance(node, exp.In) and node.args.get("query"):
        yield f"`{shown(sql)}`: a query inside an expression is not allowed."
    elif isinstance(node, exp.Div | exp.IntDiv | exp.Mod) and _is_zero(node.expression):
        yield f"`{shown(sql)}`: a division by zero."
    elif kind not in _OPERATORS and kind != "TrimPosition":
        yield f"`{shown(sql)}`: {_plain(kind)} is not allowed; an expression depends on one row and on nothing else."


def _is_zero(node: object) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) == 0


def _pattern_faults(node: object, sql: str) -> Iterator[str]:
    """A regular expression is written out, and it is one."""
    from sqlglot import exp

    assert isinstance(node, exp.Func)
    pattern = node.args.get("expression")
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        yield f"`{shown(sql)}`: a regular expression is written as text in the expression."
        return
    import polars as pl
    from polars.exceptions import PolarsError

    try:
        pl.Series([""]).str.contains(pattern.name)
    except PolarsError as error:
        yield f"`{shown(sql)}`: '{pattern.name}' is not a regular expression ({reason(error)})."


def _growth(tree: object) -> int:
    """An upper bound of how many times as long a text becomes: the product along each path of replacements."""
    from sqlglot import exp

    assert isinstance(tree, exp.Expression)
    largest, waiting = 1, [(tree, 1)]
    while waiting:
        node, growth = waiting.pop()
        growth = min(growth * _growth_of(node), 10**18)
        largest = max(largest, growth)
        waiting += [(child, growth) for child in node.iter_expressions()]
    return largest


def _growth_of(node: object) -> int:
    from sqlglot import exp

    if not isinstance(node, exp.Replace | exp.RegexpReplace):
        return 1
    old, new = node.args.get("expression"), node.args.get("replacement")
    if new is None:
        return 1
    if not isinstance(new, exp.Literal):
        return 100  # a column as long as a hundred letters
    length = len(new.name)
    if isinstance(node, exp.RegexpReplace):
        return max(1, length) + len(re.findall(r"[$\\]", new.name))
    return max(1, -(-length // max(1, len(old.name)))) if isinstance(old, exp.Literal) else max(1, length)


def _depth(tree: object) -> int:
    from sqlglot import exp

    assert isinstance(tree, exp.Expression)
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in node.iter_expressions()]
    return deepest


@cache
def _plain(kind: str) -> str:
    """`CurrentTimestamp` -> `current timestamp`."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in kind).strip()
