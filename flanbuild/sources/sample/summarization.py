"""Summarisation: AESLC first."""

from flanbuild.sources.sample.datasets import Dataset, Record
from flanbuild.sources.sample.entities import full_name
from flanbuild.sources.sample.passages import with_aside
from flanbuild.sources.sample.people import someone
from flanbuild.sources.sample.rows import Row
from flanbuild.sources.sample.world import DAYS, MONTHS


def aeslc(row: Row) -> Record:
    """The subject names what the mail is about; upstream's fields end in a newline now and then."""
    topic = row.one("topic", _TOPICS)
    day, other = row.some("days", DAYS, 2)
    who, boss = someone(row, "who").name, full_name(row, "boss")
    fill = {"topic": topic, "day": day, "other": other, "boss": boss, "n": str(row.between("number", 2, 90))}
    middle = [form.format(**fill) for form in row.some("middle", _LINES, row.between("length", 2, 5))]
    subject = row.one("subject", _SUBJECTS).format(**fill)
    opening = row.one("opening", _OPENINGS).format(**fill)
    if row.chance("very long", 1):
        middle = middle * 60
    body = "\n".join([f"{who},  {opening}", *middle, row.one("close", ("Thanks,", "Best wishes,", "Regards,")), boss])
    empty = row.chance("empty", 0.5)
    return {
        "email_body": "" if empty else with_aside(row, body) + "\n",
        "subject_line": subject + ("\n" if row.chance("newline", 20) else ""),
    }


_TOPICS = tuple(
    f"{adjective} {noun}"
    for adjective in "annual,draft,final,joint,late,missing,monthly,new,old,revised,signed,weekly".split(",")
    for noun in "budget,contract,dinner,invoice,lease,meeting,order,payment,plan,report,schedule,survey,ticket,training".split(",")
)
_OPENINGS = (
    "I am writing about the {topic}.", "please have a look at the {topic}.", "attached is the {topic}.",
    "we need to talk about the {topic} before {day}.", "quick question about the {topic}.",
)  # fmt: skip
_SUBJECTS = ("{topic}", "Re: {topic}", "{topic} on {day}", "Question about the {topic}", "{topic} ({boss})")
_LINES = (
    "It has to be ready by {day}.", "{boss} asked for it twice already.", "There are {n} copies in my office.",
    "Let me know if {other} suits you better.", "The numbers on page {n} look wrong to me.",
    "I will be out of the office on {other}.", "Please call me at extension {n}.", "Room {n} is booked for us.",
    "\tItem\tAmount\n\tTotal\t{n}", "Nobody in our group has seen the last version.",
)  # fmt: skip
_ = MONTHS

DATASETS = {
    ("Yale-LILY/aeslc", "default"): Dataset(
        "aeslc",
        {"email_body": "string", "subject_line": "string"},
        {"train": 14436, "validation": 1960, "test": 1906},
        aeslc,
    ),
}
