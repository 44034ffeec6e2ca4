"""Summarization: AESLC, AG News, CNN/DailyMail, Gigaword, Multi-News, Newsroom, Opinion Abstracts, SAMSum, WikiLingua, XSum."""

import re

from flanbuild.sample import news, opinions
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import KINDS, TOWNS, full_name
from flanbuild.sample.events import ACTIVITIES
from flanbuild.sample.passages import with_aside
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.wording import with_articles
from flanbuild.sample.world import DAYS, MONTHS, PRODUCTS, words

_LONG = 40  # factor of the length of one document in a hundred

# ---- mail and chat


def aeslc(row: SampleRow) -> SampleRecord:
    """The subject is the topic of the mail; some fields end in a newline, as upstream."""
    day, other = row.some("days", DAYS, 2)
    who, boss = someone(row, "who").name, full_name(row, "boss")
    topic = f"{row.one('topic', _ADJECTIVES)} {row.one('thing', _THINGS)}"
    fill = {"topic": topic, "day": day, "other": other, "boss": boss, "n": str(row.between("number", 2, 90))}
    middle = [form.format(**fill) for form in row.some("middle", _MAIL, row.between("length", 2, 5))]
    if row.chance("very long", 1):
        middle = middle * _LONG
    greeting = f"{who},  {row.one('opening', _OPENINGS).format(**fill)}"
    body = "\n".join([greeting, *middle, row.one("close", ("Thanks,", "Best wishes,", "Regards,")), boss])
    subject = row.one("subject", _SUBJECTS).format(**fill)
    return {
        "email_body": "" if row.chance("empty", 0.5) else with_aside(row, body) + "\n",
        "subject_line": subject + ("\n" if row.chance("newline", 20) else ""),
    }


_ADJECTIVES = words("annual,draft,final,joint,late,missing,monthly,new,old,revised,signed,weekly", ",")
_THINGS = words(
    "budget,contract,dinner,invoice,lease,meeting,order,payment,plan,report,schedule,survey,ticket,training",
    ",",
)
_OPENINGS = (
    "I am writing about the {topic}.", "please have a look at the {topic}.", "attached is the {topic}.",
    "we need to talk about the {topic} before {day}.", "quick question about the {topic}.",
)  # fmt: skip
_SUBJECTS = ("{topic}", "Re: {topic}", "{topic} on {day}", "Question about the {topic}", "{topic} ({boss})")
_MAIL = (
    "It has to be ready by {day}.", "{boss} asked for it twice already.", "There are {n} copies in my office.",
    "Let me know if {other} suits you better.", "The numbers on page {n} look wrong to me.",
    "I will be out of the office on {other}.", "Please call me at extension {n}.", "Room {n} is booked for us.",
    "\tItem\tAmount\n\tTotal\t{n}", "Nobody in our group has seen the last version.",
)  # fmt: skip


def samsum(row: SampleRow) -> SampleRecord:
    """Lines end in carriage return and newline, in some rows in newline alone."""
    lines, summary = row.one("chat", news.CHATS)
    first = someone(row, "first").name
    second = someone(row, "second", besides=first).name
    fill = {
        "a": first, "b": second, "x": someone(row, "third").name, "d": row.one("day", DAYS), "t": row.one("town", TOWNS),
        "place": row.one("place", _CHAT_PLACES), "thing": row.one("thing", _CHAT_THINGS), "g": row.one("goods", PRODUCTS),
        "n": str(row.between("n", 2, 95)), "h": f"{row.between('hour', 1, 11)} o'clock",
    }  # fmt: skip
    messages = [f"{(first, second)[i % 2]}: {line.format(**fill)}" for i, line in enumerate(lines)]
    messages += [
        f"{(first, second)[i % 2]}: {text}"
        for i, text in enumerate(row.some("small talk", _SMALL_TALK, row.below("more", 4)))
    ]
    return {
        "id": str(13_600_000 + row.number),
        "dialogue": with_articles(("\n" if row.chance("newline", 20) else "\r\n").join(messages)),
        "summary": with_articles(summary.format(**fill)) + (" " if row.chance("blank", 5) else ""),
    }


_CHAT_PLACES = words(
    "cinema,library,swimming pool,station,bakery,museum,gym,theatre,park,market,café,harbour", ","
)
_CHAT_THINGS = words("bike,camera,guitar,jacket,lamp,laptop,notebook,scarf,suitcase,tent,umbrella,watch", ",")
_SMALL_TALK = ("ok", "lol", "Thanks!", "<file_photo>", "bye", "xx", "talk later", "haha", "sure thing", "🙂")

# ---- news


def ag_news(row: SampleRow) -> SampleRecord:
    """Title and description in one text; some apostrophes are escaped, as upstream."""
    story = news.story(row, "story")
    text = f"{story.headline} {row.one('agency', _AGENCIES)}{story.lead}. {story.details[2]}."
    if row.chance("quoted", 30):
        text += f" It was {story.day}'s biggest story in {story.region}."
    return {"text": text.replace("'", " #39;") if row.chance("escaped", 40) else text, "label": story.topic}


_AGENCIES = ("", "", "AP - ", "(Sample Press) ", "SAMPLE - ")


def cnn_dailymail(row: SampleRow) -> SampleRecord:
    """Half of the articles start with a dateline; a highlight is a line with a space before the full stop."""
    story = news.story(row, "story")
    text = ". ".join([story.lead, *_body(row, story)]) + "."
    dateline = f"{story.town}, {story.region} (CNN) -- " if row.chance("dateline", 50) else _updated(row)
    highlights = [story.lead, *story.details[: row.between("highlights", 2, 3)]]
    return {
        "article": with_aside(row, dateline + text),
        "highlights": " .\n".join(highlights) + " .",
        "id": row.hexadecimal("id", 40),
    }


def _updated(row: SampleRow) -> str:
    return f"By . {full_name(row, 'author')} . PUBLISHED: . {row.below('hour', 24):02}:15 EST, {row.between('day', 1, 28)} {row.one('month', MONTHS)} 2013 . "


def _body(row: SampleRow, story: news.Story) -> list[str]:
    """Details and fillers in random order; one body in a hundred is very long."""
    body = row.shuffled("body", [*story.details, *story.fillers])
    return body * _LONG if row.chance("very long", 1) else body


def gigaword(row: SampleRow) -> SampleRecord:
    """Tokenized text in lower case; a third of the rows have number signs for digits, or UNK."""
    story = news.story(row, "story")
    document = _tokenised(f"{story.lead}, reports from {story.region} said on {story.day}.")
    summary = _tokenised(story.headline)
    if row.chance("spelled", 75):
        document, summary = _spelled(document), _spelled(summary)
    document, summary = re.sub(r"\d", "#", document), re.sub(r"\d", "#", summary)
    if row.chance("rare", 8):
        document = document.replace(story.town.lower(), "UNK")
        summary = summary.replace(story.town.lower(), "UNK")
    return {"document": document, "summary": summary}


def _tokenised(text: str) -> str:
    return re.sub(r"([,.;:])(?!\d)", r" \1", text.lower()).replace("'s", " 's")


def _spelled(text: str) -> str:
    """`7,210 people` becomes `thousands of people`, `34 days` becomes `thirty-four days`."""
    return re.sub(r"\d[\d,]*", lambda match: _number(int(match[0].replace(",", ""))), text)


def _number(number: int) -> str:
    if number >= 100:
        return "thousands of" if number >= 1000 else "hundreds of"
    tens, ones = divmod(number, 10)
    if number < 20:
        return _BELOW_TWENTY[number]
    return _TENS[tens - 2] + (f"-{_BELOW_TWENTY[ones]}" if ones else "")


_BELOW_TWENTY = words(
    "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")


def multi_news(row: SampleRow) -> SampleRecord:
    """Two to four articles about one event, separated by five bars; some rows have NEWLINE_CHAR for a newline."""
    story = news.story(row, "story")
    newline = "NEWLINE_CHAR" if row.chance("raw", 10) else "\n"
    articles = []
    for i in range(row.between("articles", 2, 4)):
        body = row.shuffled(f"body {i}", [story.lead, *story.details, *story.fillers[i : i + 3]])
        articles.append(f" {newline} {newline} ".join(f"{text}." for text in body))
    if row.chance("very long", 1):
        articles = articles * _LONG
    summary = ". ".join([story.lead, *story.details])
    return {"document": with_aside(row, " ||||| ".join(articles)), "summary": f"– {summary}."}


def newsroom(row: SampleRow) -> SampleRecord:
    """The bins depend on whether the text contains the summary."""
    story = news.story(row, "story")
    copied = row.chance("copied", 60)
    text = "\n\n".join(
        f"{sentence}." for sentence in ([story.lead, *_body(row, story)] if copied else _body(row, story))
    )
    density = row.between("density", 20, 400) / 10 if copied else row.between("density", 5, 20) / 10
    return {
        "text": with_aside(row, text),
        "summary": f"{story.lead}.",
        "title": story.headline,
        "url": f"http://news.example.org/{row.number}/{story.town.lower()}.html",
        "date": f"20{row.between('year', 1, 17):02}{row.between('month', 1, 12):02}{row.between('day', 1, 28):02}120000",
        "density_bin": "extractive" if copied else "abstractive",
        "coverage_bin": "high" if copied else "low",
        "compression_bin": row.one("compression bin", ("low", "medium", "high")),
        "density": density,
        "coverage": (row.between("coverage", 80, 100) if copied else row.between("coverage", 30, 79)) / 100,
        "compression": row.between("compression", 20, 900) / 10,
    }


def xsum(row: SampleRow) -> SampleRecord:
    """The summary is a sentence that the document implies but does not contain."""
    story = news.story(row, "story")
    return {
        "document": with_aside(row, "\n".join(f"{sentence}." for sentence in _body(row, story))),
        "summary": f"{story.lead}.",
        "id": str(10_000_000 + row.number),
    }


# ---- opinions


def idebate(row: SampleRow) -> SampleRecord:
    """Arguments for one side of a debate, and their common claim."""
    motion, *sides = row.one("debate", news.DEBATES)
    claim, arguments = row.one("side", sides)
    chosen = row.some("arguments", arguments, row.between("count", 3, 5))
    forms = row.shuffled("forms", _ARGUED)
    texts = [
        forms[i].format(argument, n=someone(row, f"speaker {i}").name) for i, argument in enumerate(chosen)
    ]
    return {
        "_argument_sentences": [{"key": str(i), "value": text} for i, text in enumerate(texts)],
        "_claim": f"{claim}.",
        "_claim_id": f"{row.number:05}",
        "_debate_name": f"This House would {motion}",
        "_debate_id": f"debate_{news.DEBATES.index((motion, *sides)) + 1}",
    }


_ARGUED = (
    "It is a fact that {}.", "We know that {}.", "{n} reminds us that {}.", "Above all, {}.", "Studies show that {}.",
    "Nobody can deny that {}.", "Everyday life proves that {}.",
)  # fmt: skip


def rotten_tomatoes(row: SampleRow) -> SampleRecord:
    """Reviews that agree on two points, and the consensus that states these points."""
    sign = row.below("sign", 2)
    film = row.one("film", KINDS["book"].names)
    parts = row.some("parts", opinions.MOVIE_PARTS, 2)
    good = row.some("qualities", opinions.QUALITIES[sign], 6)
    reviews = []
    for i in range(row.between("reviews", 4, 12)):
        form = row.one(f"form {i}", _REVIEWS)
        text = form.format(part=parts[i % 2], q=good[i % 6], name=someone(row, f"critic {i}").name, film=film)
        reviews.append(with_articles(text))
    genre = row.one("genre", opinions.GENRES)
    consensus = f"{'Thanks to' if sign else 'Spoiled by'} its {good[0]} {parts[0]} and {good[1]} {parts[1]}, {film} is a {genre} to {'see' if sign else 'avoid'}."
    return {
        "_critic_consensus": consensus,
        "_critics": [{"key": f"{i:06}", "value": text} for i, text in enumerate(reviews)],
        "_movie_name": film.replace(" ", "_"),
        "_movie_id": f"m_{film.lower().replace(' ', '_')}",
    }


_REVIEWS = (
    "The {part} is {q}.", "{film} has a {q} {part}.", "{name} calls the {part} {q}.", "As to the {part}: {q}.",
    "{name} found the {part} {q}.", "A film with a {q} {part}.",
)  # fmt: skip

# ---- how to


def wiki_lingua(row: SampleRow) -> SampleRecord:
    """GEM's version: the paragraphs of an article, and its steps as the summary."""
    _, document, summary = _section(row, "section")
    identifier = f"wiki_lingua_en-{row.split}-{row.number}"
    return {
        "gem_id": identifier,
        "gem_parent_id": identifier,
        "source": with_aside(row, document),
        "target": summary,
        "source_aligned": {"en": document},
        "target_aligned": {"en": summary},
        "references": [summary],
    }


def wiki_lingua_release(row: SampleRow) -> SampleRecord:
    """The authors' version: an article has sections, each with its document and summary."""
    sections = [_section(row, f"section {i}") for i in range(row.between("sections", 1, 3))]
    title = sections[0][0].replace(" ", "-")
    return {
        "url": f"https://howto.example.org/{title}-{row.number}",
        "article": {
            "section_name": [name for name, _, _ in sections],
            "document": [document for _, document, _ in sections],
            "summary": [summary for _, _, summary in sections],
        },
    }


def _section(row: SampleRow, purpose: str) -> tuple[str, str, str]:
    name, steps = row.one(purpose, ACTIVITIES)
    orders = [imperative(step) for step in steps]
    advice = row.some(f"{purpose} advice", _ADVICE, len(orders))
    look = row.one(f"{purpose} look", _ADJECTIVES)
    document = " ".join(
        f"{order}. {text.format(day=row.one(f'{purpose} day', DAYS), look=look)}"
        for order, text in zip(orders, advice, strict=True)
    )
    return (
        name,
        document * (_LONG if row.chance("very long", 1) else 1),
        " ".join(f"{order}." for order in orders),
    )


def imperative(step: str) -> str:
    """`rinses the foam off` becomes `Rinse the foam off`."""
    first, *rest = step.split(" ")
    bare = [_bare(first)]
    for before, word in zip(step.split(" "), rest, strict=False):
        bare.append(_bare(word) if before == "and" and word in _SECOND_VERBS else word)
    text = " ".join(bare)
    return text[0].upper() + text[1:]


_SECOND_VERBS = words("cleans combs serves trots winds tightens starts lets dries")


def _bare(verb: str) -> str:
    if verb.endswith("ies"):
        return verb[:-3] + "y" if len(verb) > 4 else verb[:-1]
    return verb[:-2] if verb.endswith(("shes", "ches", "sses", "xes")) else verb[:-1]


_ADVICE = (
    "Do not hurry, for this takes some practice.", "If you are new to it, ask a friend to watch.",
    "Most people get this wrong at first.", "You will feel when it is right.", "A {look} cloth helps to keep things clean.",
    "It is best to do this on a {day}.", "Make sure that you have enough room.", "Children should not do this alone.",
    "Take a short break afterwards.", "Repeat it if you are not content.", "Some do it with the left hand.",
    "This is the part that matters most.",
)  # fmt: skip


DATASETS = {
    ("Yale-LILY/aeslc", "default"): SampleDataset(
        "aeslc", {"train": 14436, "validation": 1960, "test": 1906}, aeslc
    ),
    ("fancyzhx/ag_news", "default"): SampleDataset("ag_news", {"train": 120000, "test": 7600}, ag_news),
    ("abisee/cnn_dailymail", "3.0.0"): SampleDataset(
        "cnn_dailymail", {"train": 287113, "validation": 13368, "test": 11490}, cnn_dailymail
    ),
    ("Harvard/gigaword", "default"): SampleDataset(
        "gigaword", {"train": 3803957, "validation": 189651, "test": 1951}, gigaword
    ),
    ("alexfabbri/multi_news", "default"): SampleDataset(
        "multi_news", {"train": 44972, "validation": 5622, "test": 5622}, multi_news
    ),
    ("lil-lab/newsroom", "default"): SampleDataset(
        "newsroom", {"train": 995041, "validation": 108837, "test": 108862}, newsroom
    ),
    ("opinion_abstracts", "idebate"): SampleDataset("idebate", {"train": 2259}, idebate),
    ("opinion_abstracts", "rotten_tomatoes"): SampleDataset(
        "rotten_tomatoes", {"train": 3731}, rotten_tomatoes
    ),
    ("knkarthick/samsum", "default"): SampleDataset(
        "samsum", {"train": 14732, "validation": 818, "test": 819}, samsum
    ),
    ("GEM/wiki_lingua", "en"): SampleDataset(
        "wiki_lingua", {"train": 99020, "validation": 13823, "test": 28614}, wiki_lingua
    ),
    ("esdurmus/wiki_lingua", "english"): SampleDataset(
        "wiki_lingua_release", {"train": 57945}, wiki_lingua_release
    ),
    ("EdinburghNLP/xsum", "default"): SampleDataset(
        "xsum", {"train": 204045, "validation": 11332, "test": 11334}, xsum
    ),
}
