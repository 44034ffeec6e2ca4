"""Named functions for what a task file cannot express in one line of SQL: LazyFrame in, LazyFrame out, vectorised.

A task file names one by `preprocess: <name>`. The function receives the declared columns, with class labels as names.
`where`, `fields`, `options` and `answer` of the task file apply to the columns that it returns. A function that makes
several rows out of one, such as the turns of a dialogue, keeps them in order.
"""

from collections.abc import Callable

import polars as pl

Preprocessor = Callable[[pl.LazyFrame], pl.LazyFrame]
SOURCE_ROW = "_source_row"
"""The index of the raw row. Every preprocessor keeps it, because rows from one raw row must go into one split."""


def answer_key(rows: pl.LazyFrame) -> pl.LazyFrame:
    """ARC, OpenBookQA: `answer_index` is the index of `answerKey` in `choices.label` (letters or digits), from 0."""
    position = pl.concat_list("answerKey", pl.col("choices").struct.field("label")).list.eval(
        (pl.element().slice(1) == pl.element().first()).arg_max()
    )
    known = pl.col("choices").struct.field("label").list.contains(pl.col("answerKey"))
    return rows.with_columns(pl.when(known).then(position.list.first()).alias("answer_index"))


def coqa(rows: pl.LazyFrame) -> pl.LazyFrame:
    """CoQA: one row per turn, with its `question` and `answer`, and the earlier turns in `history`."""
    return _turns(rows, pl.col("answers").struct.field("input_text"))


def dart(rows: pl.LazyFrame) -> pl.LazyFrame:
    """DART: joins each triple of `tripleset` to a string without tags such as [TABLECONTEXT], then as `references`."""
    parts = pl.element().list.eval(pl.element().str.replace(r"^\[[A-Z]+\]$", ""))
    triples = pl.col("tripleset").list.eval(_single_spaces(parts.list.join(" ")))
    return references(rows.with_columns(triples))


def drop(rows: pl.LazyFrame) -> pl.LazyFrame:
    """DROP: `answers_spans` becomes `answer` and `references`.

    A train row has one annotation: a number, a date, or spans, which are joined. A validation row has those of several
    annotators in one list, which does not show whether two spans belong together: references are the joined spans and
    each span alone.
    """
    texts = pl.col("answers_spans").struct.field("spans").list.unique(maintain_order=True)
    spans = pl.col("answers_spans").struct.field("types").list.first() == "span"
    whole = pl.when(spans).then(texts.list.join(", ")).otherwise(texts.list.first())
    return rows.with_columns(
        answer=whole, references=pl.concat_list(whole, texts).list.unique(maintain_order=True)
    )


def hellaswag(rows: pl.LazyFrame) -> pl.LazyFrame:
    """HellaSwag: removes WikiHow's tags from `ctx`, where each except [header] becomes a newline, and `endings`."""
    header, tag = r"\[header\]\s*", r"\s*\[(header|title|step|substeps)\]\s*"
    return rows.with_columns(
        pl.col("ctx").str.replace_all(header, "").str.replace_all(tag, "\n").str.strip_chars(),
        pl.col("endings").list.eval(pl.element().str.replace_all(tag, " ").str.strip_chars()),
    )


def quac(rows: pl.LazyFrame) -> pl.LazyFrame:
    """QuAC: as `coqa`; `answer` is null if the text has none, and `references` are those of all annotators.

    CANNOTANSWER, which marks a question without an answer, also ends each context; it is removed there.
    """
    none = "CANNOTANSWER"
    spans = pl.col("orig_answers").struct.field("texts")
    known = spans.list.eval(pl.when(pl.element() != none).then(pl.element()))
    others = pl.col("answers").struct.field("texts").list.get(pl.col("turn"))
    others = others.list.eval(pl.element().filter(pl.element() != none))
    return _turns(rows, known).with_columns(
        pl.col("context").str.strip_suffix(none).str.strip_chars(),
        references=pl.concat_list("answer", others).list.unique(maintain_order=True),
    )


def record(rows: pl.LazyFrame) -> pl.LazyFrame:
    """ReCoRD: `before` is `query` up to @placeholder; the text after it is appended to `entities` and `answers`."""
    parts = pl.col("query").str.splitn("@placeholder", 2).struct
    return rows.with_columns(
        before=parts[0].str.strip_chars(),
        entities=_with_ending(pl.col("entities"), parts[1]),
        answers=_with_ending(pl.col("answers"), parts[1]),
    )


def references(rows: pl.LazyFrame) -> pl.LazyFrame:
    """GEM: puts `target`, the only text of a train row, first in `references`; both get single spaces."""
    texts = pl.concat_list("target", "references").list.eval(_single_spaces(pl.element()))
    return rows.with_columns(target=texts.list.first(), references=texts.list.unique(maintain_order=True))


def wsc(rows: pl.LazyFrame) -> pl.LazyFrame:
    """SuperGLUE's WSC: `marked` is the text with its `pronoun` between asterisks, `noun` the other phrase.

    `span2_index` counts words. In a few rows it is one too low, so the search for the pronoun begins there; `marked`
    is null if it is not found. `noun` is spelled as in the text, without a final full stop.
    """
    words = pl.col("text").str.split(" ")
    head = words.list.head(pl.col("span2_index")).list.join(" ") + " "
    pronoun = pl.col("span2_text").str.strip_chars(" ,.")
    parts = words.list.slice(pl.col("span2_index")).list.join(" ").str.splitn(pronoun, 2).struct
    noun = _single_spaces(pl.col("span1_text")).str.strip_chars(" ,.")
    spellings = [noun, _uncapitalised(noun), _capitalised(noun)]
    as_written = [pl.when(pl.col("text").str.contains(way, literal=True)).then(way) for way in spellings]
    return rows.with_columns(
        marked=head.str.strip_chars_start() + parts[0] + "*" + pronoun + "*" + parts[1],
        pronoun=pronoun,
        noun=pl.coalesce(*as_written, noun),
    )


def wsc273(rows: pl.LazyFrame) -> pl.LazyFrame:
    """WSC273: `continuations` is each option with the text after the pronoun.

    An option replaces the pronoun: capitalised at the beginning of a sentence, otherwise with its article in lower
    case; with 's for a possessive pronoun ("her" always is one here), without it for other personal pronouns.
    """
    pronoun = pl.col("pronoun")
    after = pl.col("text").str.slice(pl.col("pronoun_loc") + pronoun.str.len_chars())

    def replacing(option: pl.Expr) -> pl.Expr:
        article = option.str.contains(r"^(The|An?|His|Her|My|Their) ")
        starts = pronoun.str.contains("^[A-Z]")
        cased = pl.when(article).then(_uncapitalised(option)).otherwise(option)
        cased = pl.when(starts).then(_capitalised(option)).otherwise(cased)
        name = cased.str.strip_suffix("'s")
        owns, thing = pronoun.str.contains("^(?i)(his|her|its|their)$"), pronoun.str.contains("^(?i)it$")
        return pl.when(owns).then(name + "'s").when(thing).then(cased).otherwise(name) + after

    options = (replacing(pl.col("options").list.get(i, null_on_oob=True)) for i in range(2))
    return rows.with_columns(continuations=pl.concat_list(*options))


def idebate(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Opinion Abstracts, iDebate: `argument_sentences` is a numbered list of the first ten."""
    return rows.with_columns(_numbered("_argument_sentences").alias("argument_sentences"))


def rotten_tomatoes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Opinion Abstracts, Rotten Tomatoes: `numbered_reviews` lists the first ten, beside `first_review`."""
    first = pl.col("_critics").list.first().struct.field("value")
    return rows.with_columns(_numbered("_critics").alias("numbered_reviews"), first.alias("first_review"))


def wiki_lingua(rows: pl.LazyFrame) -> pl.LazyFrame:
    """WikiLingua: one row per section of an article, with `document` and `summary`, as in GEM."""
    return rows.select(SOURCE_ROW, pl.col("article").struct.unnest()).explode("document", "summary")


PREPROCESSORS: dict[str, Preprocessor] = {
    function.__name__: function
    for function in (
        answer_key,
        coqa,
        dart,
        drop,
        hellaswag,
        idebate,
        quac,
        record,
        references,
        rotten_tomatoes,
        wiki_lingua,
        wsc,
        wsc273,
    )
}


def _with_ending(texts: pl.Expr, ending: pl.Expr) -> pl.Expr:
    """Appends the row's ending to each text of a list; an empty list stays empty."""
    between = "\x1f"  # occurs in no text
    extended = (texts.list.join(ending + between) + ending).str.split(between)
    return pl.when(texts.list.len() > 0).then(extended).otherwise(texts)


def _turns(rows: pl.LazyFrame, replies: pl.Expr) -> pl.LazyFrame:
    """One row per `turn` (from 0) of `questions`: its `question`, its `answer`, and the earlier turns in `history`.

    The history has one line per question (Q:) and answer (A:), each with its newline, so that a template can continue
    after it. At the first turn it is empty.
    """
    half = pl.len() // 2
    turns = pl.concat_str(
        pl.lit("Q: "),
        pl.element().head(half),
        pl.lit("\nA: "),
        pl.element().tail(half).fill_null("No answer."),
        pl.lit("\n"),
    )
    return (
        rows.with_columns(
            _replies=replies,
            _turns=pl.concat_list("questions", replies).list.eval(turns),
            turn=pl.int_ranges(pl.col("questions").list.len()),
        )
        .explode("turn")
        .with_columns(
            question=pl.col("questions").list.get(pl.col("turn")),
            answer=pl.col("_replies").list.get(pl.col("turn")),
            history=pl.col("_turns").list.head(pl.col("turn")).list.join(""),
        )
        .drop("_replies", "_turns")
    )


def _single_spaces(text: pl.Expr) -> pl.Expr:
    r"""Replaces each run of white space, like `\s+` but five times as fast, because single spaces are skipped."""
    return text.str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars()


def _capitalised(text: pl.Expr) -> pl.Expr:
    return text.str.head(1).str.to_uppercase() + text.str.slice(1)


def _numbered(column: str) -> pl.Expr:
    """The values of the first ten pairs of a list of {key, value}, numbered, one per line: `1. …`."""
    number = pl.int_range(1, pl.len() + 1).cast(pl.String)
    line = pl.concat_str(number, pl.lit(". "), pl.element().struct.field("value"))
    return pl.col(column).list.head(10).list.eval(line).list.join("\n")


def _uncapitalised(text: pl.Expr) -> pl.Expr:
    return text.str.head(1).str.to_lowercase() + text.str.slice(1)
