"""What a page can't say in a line of SQL: named functions, LazyFrame in, LazyFrame out, vectorised.

A page names one by `preprocess: <name>`; it sees the declared columns, with class labels already as names,
and what it returns is what the page's `where`, `fields`, `options` and `answer` see. One that makes several
rows of one (a dialogue into its turns) keeps them in order.
"""

from collections.abc import Callable

import polars as pl

Preprocessor = Callable[[pl.LazyFrame], pl.LazyFrame]
SOURCE_ROW = "_source_row"
"""The index of the raw row, which every preprocessor keeps: the rows of one are never parted between splits."""


def answer_key(rows: pl.LazyFrame) -> pl.LazyFrame:
    """ARC, OpenBookQA: `answerKey` among `choices.label` (letters or digits) as `answer_index`, from 0."""
    position = pl.concat_list("answerKey", pl.col("choices").struct.field("label")).list.eval(
        (pl.element().slice(1) == pl.element().first()).arg_max()
    )
    known = pl.col("choices").struct.field("label").list.contains(pl.col("answerKey"))
    return rows.with_columns(pl.when(known).then(position.list.first()).alias("answer_index"))


def coqa(rows: pl.LazyFrame) -> pl.LazyFrame:
    """CoQA: one row a turn, with its `question` and `answer`, and in `history` the turns before it."""
    return _turns(rows, pl.col("answers").struct.field("input_text"))


def dart(rows: pl.LazyFrame) -> pl.LazyFrame:
    """DART: triples of `tripleset` become strings, without marks such as [TABLECONTEXT]; then as `references`."""
    parts = pl.element().list.eval(pl.element().str.replace(r"^\[[A-Z]+\]$", ""))
    triples = pl.col("tripleset").list.eval(_single_blanks(parts.list.join(" ")))
    return references(rows.with_columns(triples))


def drop(rows: pl.LazyFrame) -> pl.LazyFrame:
    """DROP: `answers_spans` becomes `answer` and `references`.

    A train row holds one annotation: a number, a date, or spans, which are joined. A validation row holds
    several annotators' in one list, where one's spans and rival spans look alike: references are the joined
    spans and each alone.
    """
    said = pl.col("answers_spans").struct.field("spans").list.unique(maintain_order=True)
    spans = pl.col("answers_spans").struct.field("types").list.first() == "span"
    whole = pl.when(spans).then(said.list.join(", ")).otherwise(said.list.first())
    return rows.with_columns(
        answer=whole, references=pl.concat_list(whole, said).list.unique(maintain_order=True)
    )


def hellaswag(rows: pl.LazyFrame) -> pl.LazyFrame:
    """HellaSwag: WikiHow's tags leave `ctx`, where each but [header] begins a line, and `endings`."""
    header, tag = r"\[header\]\s*", r"\s*\[(header|title|step|substeps)\]\s*"
    return rows.with_columns(
        pl.col("ctx").str.replace_all(header, "").str.replace_all(tag, "\n").str.strip_chars(),
        pl.col("endings").list.eval(pl.element().str.replace_all(tag, " ").str.strip_chars()),
    )


def quac(rows: pl.LazyFrame) -> pl.LazyFrame:
    """QuAC: as `coqa`; `answer` is null where the text has none, `references` are those of all annotators.

    CANNOTANSWER, the corpus's word for no answer, stands at the end of each context too; it is taken off.
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
    """ReCoRD: `query` up to @placeholder is `before`; `entities` and `answers` get what follows it."""
    parts = pl.col("query").str.splitn("@placeholder", 2).struct
    return rows.with_columns(
        before=parts[0].str.strip_chars(),
        entities=_with_ending(pl.col("entities"), parts[1]),
        answers=_with_ending(pl.col("answers"), parts[1]),
    )


def references(rows: pl.LazyFrame) -> pl.LazyFrame:
    """GEM's sets: `references` begins with `target`, the only text of a train row; both get single blanks."""
    texts = pl.concat_list("target", "references").list.eval(_single_blanks(pl.element()))
    return rows.with_columns(target=texts.list.first(), references=texts.list.unique(maintain_order=True))


def wsc(rows: pl.LazyFrame) -> pl.LazyFrame:
    """SuperGLUE's WSC: `marked` is the text with its `pronoun` between asterisks, `noun` the other phrase.

    `span2_index` counts words; in a row or two it is one too low, so the pronoun is sought from there on;
    `marked` is null where it is not found. `noun` is spelled as in the text, without a final full stop.
    """
    words = pl.col("text").str.split(" ")
    head = words.list.head(pl.col("span2_index")).list.join(" ") + " "
    pronoun = pl.col("span2_text").str.strip_chars(" ,.")
    parts = words.list.slice(pl.col("span2_index")).list.join(" ").str.splitn(pronoun, 2).struct
    noun = _single_blanks(pl.col("span1_text")).str.strip_chars(" ,.")
    spellings = [noun, _uncapitalised(noun), _capitalised(noun)]
    as_written = [pl.when(pl.col("text").str.contains(way, literal=True)).then(way) for way in spellings]
    return rows.with_columns(
        marked=head.str.strip_chars_start() + parts[0] + "*" + pronoun + "*" + parts[1],
        pronoun=pronoun,
        noun=pl.coalesce(*as_written, noun),
    )


def wsc273(rows: pl.LazyFrame) -> pl.LazyFrame:
    """WSC273: `before` is the text up to the pronoun, `continuations` each option and the text after it.

    An option takes the pronoun's place: with a capital where it begins a sentence, else with a small article;
    with 's for a possessive pronoun ("her" always is one here), without it for another personal one.
    """
    pronoun = pl.col("pronoun")
    after = pl.col("text").str.slice(pl.col("pronoun_loc") + pronoun.str.len_chars())

    def in_place(option: pl.Expr) -> pl.Expr:
        article = option.str.contains(r"^(The|An?|His|Her|My|Their) ")
        starts = pronoun.str.contains("^[A-Z]")
        cased = pl.when(article).then(_uncapitalised(option)).otherwise(option)
        cased = pl.when(starts).then(_capitalised(option)).otherwise(cased)
        name = cased.str.strip_suffix("'s")
        owns, thing = pronoun.str.contains("^(?i)(his|her|its|their)$"), pronoun.str.contains("^(?i)it$")
        return pl.when(owns).then(name + "'s").when(thing).then(cased).otherwise(name) + after

    options = (in_place(pl.col("options").list.get(i, null_on_oob=True)) for i in range(2))
    return rows.with_columns(
        before=pl.col("text").str.head(pl.col("pronoun_loc")).str.strip_chars(),
        continuations=pl.concat_list(*options),
    )


def idebate(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Opinion Abstracts, iDebate: `argument_sentences`, the first ten as a numbered list."""
    return rows.with_columns(_numbered("_argument_sentences").alias("argument_sentences"))


def rotten_tomatoes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Opinion Abstracts, Rotten Tomatoes: `numbered_reviews`, the first ten as a list, and `first_review`."""
    first = pl.col("_critics").list.first().struct.field("value")
    return rows.with_columns(_numbered("_critics").alias("numbered_reviews"), first.alias("first_review"))


def wiki_lingua(rows: pl.LazyFrame) -> pl.LazyFrame:
    """WikiLingua: an article's sections as rows of `document` and `summary`, as GEM has them."""
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
    """Each text of a list followed by the row's ending; an empty list stays empty."""
    between = "\x1f"  # occurs in no text
    extended = (texts.list.join(ending + between) + ending).str.split(between)
    return pl.when(texts.list.len() > 0).then(extended).otherwise(texts)


def _turns(rows: pl.LazyFrame, replies: pl.Expr) -> pl.LazyFrame:
    """A row a `turn` (from 0) of `questions`: its `question`, its `answer`, and in `history` those before it.

    The history is lines of Q: and A:, each with its newline, so that a text can go on; at first it is empty.
    """
    half = pl.len() // 2
    said = pl.concat_str(
        pl.lit("Q: "),
        pl.element().head(half),
        pl.lit("\nA: "),
        pl.element().tail(half).fill_null("No answer."),
        pl.lit("\n"),
    )
    return (
        rows.with_columns(
            _replies=replies,
            _said=pl.concat_list("questions", replies).list.eval(said),
            turn=pl.int_ranges(pl.col("questions").list.len()),
        )
        .explode("turn")
        .with_columns(
            question=pl.col("questions").list.get(pl.col("turn")),
            answer=pl.col("_replies").list.get(pl.col("turn")),
            history=pl.col("_said").list.head(pl.col("turn")).list.join(""),
        )
        .drop("_replies", "_said")
    )


def _single_blanks(text: pl.Expr) -> pl.Expr:
    r"""As replacing `\s+` would, five times as fast: the many single spaces are left alone."""
    return text.str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars()


def _capitalised(text: pl.Expr) -> pl.Expr:
    return text.str.head(1).str.to_uppercase() + text.str.slice(1)


def _numbered(column: str) -> pl.Expr:
    """The values of the first ten pairs of a list of {key, value}: `1. …`, a line each."""
    number = pl.int_range(1, pl.len() + 1).cast(pl.String)
    line = pl.concat_str(number, pl.lit(". "), pl.element().struct.field("value"))
    return pl.col(column).list.head(10).list.eval(line).list.join("\n")


def _uncapitalised(text: pl.Expr) -> pl.Expr:
    return text.str.head(1).str.to_lowercase() + text.str.slice(1)
