"""Sentiment: IMDB, Sentiment140, SST-2, Yelp. The verdict on the whole decides the label."""

from flanbuild.sample import opinions
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.passages import with_aside
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.wording import with_articles
from flanbuild.sample.world import DAYS, SURNAMES


def sst2(row: SampleRow) -> SampleRecord:
    """Phrases and sentences in lower case with a space at the end, as upstream."""
    label = row.below("label", 2)
    first, second = row.some("qualities", opinions.QUALITIES[label], 2)
    fill = {
        "q": first,
        "r": second,
        "x": row.one("against", opinions.QUALITIES[1 - label]),
        "part": row.one("part", opinions.MOVIE_PARTS),
        "other": row.one("other part", opinions.MOVIE_PARTS),
        "genre": row.one("genre", opinions.GENRES),
        "name": row.one("name", SURNAMES).lower(),
    }
    text = with_articles(row.one("form", _PHRASES).format(**fill))
    return {"sentence": text + " ", "label": label, "idx": row.number}


_PHRASES = (
    "a {q} and {r} {genre}", "{q} , {r} {genre}", "the {part} is {q}", "{q} {part}", "its {q} {part} and {r} {other}",
    "the {genre} is not {x} but {q} .", "{name} 's {genre} is {q} and often {r} .", "not {x} at all , just {q}",
    "a {genre} with {q} {part} .", "never {x} , always {q} and {r} .", "the {part} may be {x} , but the {genre} is {q} .",
    "despite its {x} {part} , a {q} , {r} {genre} .", "{name} makes the {part} {q}", "so {q} that the {other} feels {r} .",
)  # fmt: skip


def review(row: SampleRow, label: int, count: int) -> list[str]:
    """Sentences about a film that agree with the label, with at most one exception."""
    name = row.one("surname", SURNAMES)
    parts = row.some("parts", opinions.MOVIE_PARTS, count)
    good = row.some("qualities", opinions.QUALITIES[label], count)
    sentences = [
        f"I saw this {row.one('genre', opinions.GENRES)} with {someone(row, 'friend').name} on {row.one('day', DAYS)}."
    ]
    sentences += [
        form.format(part=part, q=quality, name=name)
        for form, part, quality in zip(row.some("forms", _OF_PARTS, count), parts, good, strict=True)
    ]
    if row.chance("concedes", 30):
        against = row.one("against", opinions.QUALITIES[1 - label])
        sentences.append(f"Only the {row.one('conceded', opinions.MOVIE_PARTS)} was rather {against}.")
    verdict = row.one("verdict", opinions.VERDICTS[label])
    return [*sentences, verdict.format(it="this film", q=row.one("overall", opinions.QUALITIES[label]))]


_OF_PARTS = (
    "The {part} is {q}.", "I found the {part} {q}.", "What {q} {part}!", "The {part} by {name} is simply {q}.",
    "{name} gives us a {q} film.", "Even the {part} seemed {q} to me.", "Most of all, the {part} was {q}.",
    'My friends called the {part} "{q}".', "A word about the {part}: {q}.", "As for the {part}, it is {q}, {q} and {q}.",
)  # fmt: skip


def imdb(row: SampleRow) -> SampleRecord:
    """Paragraphs separated by HTML tags; one review in a hundred is very long."""
    label = row.below("label", 2)
    sentences = review(row, label, row.between("length", 3, 8))
    if row.chance("very long", 1):
        sentences = sentences * 20
    pause = row.between("paragraph", 2, 4)
    paragraphs = [" ".join(sentences[i : i + pause]) for i in range(0, len(sentences), pause)]
    text = with_articles("<br /><br />".join(paragraphs))
    return {"text": with_aside(row, text), "label": label}


def yelp(row: SampleRow) -> SampleRecord:
    r"""Escaped as upstream: a newline is the two characters `\n`, a double quote is `\""`."""
    label = row.below("label", 2)
    count = row.between("length", 2, 5)
    place = row.one("place", opinions.PLACES)
    parts = row.some("parts", opinions.PLACE_PARTS, count)
    praise = row.some("praise", opinions.PLACE_WORDS[label], count)
    who = someone(row, "who").name
    sentences = [row.one("came", _CAME).format(place=place, who=who, day=row.one("day", DAYS))]
    sentences += [
        row.one(f"form {i}", _OF_PLACES).format(part=part, q=praise[i]) for i, part in enumerate(parts)
    ]
    if row.chance("concedes", 25):
        against = row.one("against", opinions.PLACE_WORDS[1 - label])
        sentences.append(
            f"Fine, the {row.one('conceded', opinions.PLACE_PARTS)} was {against}, but that is all."
        )
    verdict = row.one("verdict", opinions.VERDICTS[label])
    sentences.append(verdict.format(it=f"this {place}", q=praise[0]))
    return {"text": row.one("pause", (" ", " ", "\\n", "\\n\\n")).join(sentences), "label": label}


_CAME = (
    "Came to this {place} with {who} on {day}.", "We tried the {place} on {day}.", "{who} took me to this {place}.",
    "My third visit to this {place}.", "Found the {place} by chance last {day}.", "A {place} near {who}'s house.",
)  # fmt: skip
_OF_PLACES = (
    "The {part} was {q}.", "{part}: {q}!", "I thought the {part} was really {q}.", "We all found the {part} {q}.",
    'They call the {part} \\""special\\"", I call it {q}.', "And the {part}? Very {q}.", "So {q}, the {part}!",
)  # fmt: skip


def sentiment140(row: SampleRow) -> SampleRecord:
    """Train has the polarities 0 and 4; test also has 2, the neutral one."""
    sign = row.below("sign", 3 if row.split == "test" else 2)
    sign = sign if row.split == "test" else 2 * sign
    moment = " and ".join(row.some("moments", opinions.MOMENTS[sign], row.between("count", 1, 2)))
    mood = row.one("mood", opinions.MOODS[sign])
    user = f"{someone(row, 'user').name.lower()}{row.below('user number', 1000)}"
    to = (
        f"@{someone(row, 'to').name.lower()}{row.below('to number', 100)} "
        if row.chance("to somebody", 40)
        else ""
    )
    text = row.one("form", ("{m}, {f}", "{f}... {m}", "{m}! {f}!!", "{f} {m}", "{m} and {f}")).format(
        m=moment, f=mood
    )
    day = row.between("day", 1, 30)
    return {
        "text": f"{to}{text} {row.one('face', opinions.FACES[sign])}",
        "date": f"{row.one('weekday', DAYS)[:3]} Jun {day:02} {row.below('hour', 24):02}:{row.below('minute', 60):02}:07 PDT 2009",
        "user": user,
        "sentiment": 2 * sign,
        "query": row.one("query", ("kindle", "weather", "museum", "jquery"))
        if row.split == "test"
        else "NO_QUERY",
    }


DATASETS = {
    ("stanfordnlp/imdb", "plain_text"): SampleDataset(
        "imdb",
        {"train": 25000, "test": 25000, "unsupervised": 50000},
        imdb,
        hidden={"unsupervised": {"label": -1}},
        order="label",
    ),
    ("stanfordnlp/sentiment140", "sentiment140"): SampleDataset(
        "sentiment140", {"train": 1600000, "test": 498}, sentiment140, order="sentiment"
    ),
    ("nyu-mll/glue", "sst2"): SampleDataset(
        "sst2", {"train": 67349, "validation": 872, "test": 1821}, sst2, hidden={"test": {"label": -1}}
    ),
    ("fancyzhx/yelp_polarity", "plain_text"): SampleDataset("yelp", {"train": 560000, "test": 38000}, yelp),
}
