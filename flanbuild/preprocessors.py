"""What a page can't say in a line of SQL: named functions, LazyFrame in, LazyFrame out, vectorised.

A page names one by `preprocess: <name>`; it sees the declared columns, with class labels already as names,
and what it returns is what the page's `where`, `fields`, `options` and `answer` see. One that makes several
rows of one (a dialogue into its turns) keeps them in order.
"""

from collections.abc import Callable

import polars as pl

Preprocessor = Callable[[pl.LazyFrame], pl.LazyFrame]


def answer_key(rows: pl.LazyFrame) -> pl.LazyFrame:
    """ARC, OpenBookQA: `answerKey` among `choices.label` (letters or digits) becomes `answer_index`, from 0."""
    position = pl.concat_list("answerKey", pl.col("choices").struct.field("label")).list.eval(
        (pl.element().slice(1) == pl.element().first()).arg_max()
    )
    known = pl.col("choices").struct.field("label").list.contains(pl.col("answerKey"))
    return rows.with_columns(pl.when(known).then(position.list.first()).alias("answer_index"))


PREPROCESSORS: dict[str, Preprocessor] = {
    function.__name__: function
    for function in (answer_key,)
}
