"""Commonsense: COPA, HellaSwag, PIQA, StoryCloze."""

from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.events import ACTIVITIES, CAUSES, STORIES, WAYS
from flanbuild.sample.passages import with_aside
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import DAYS, MONTHS


def copa(row: SampleRow) -> SampleRecord:
    """The right choice is the cause or effect of the premise, the wrong choice belongs to another pair."""
    right, wrong = row.some("pairs", CAUSES, 2)
    who = someone(row, "who")
    label = row.below("label", 2)
    given, asked = (0, 1) if row.chance("effect", 50) else (1, 0)
    choices = [who.tell(right[asked]), who.tell(wrong[asked])]
    return {
        "premise": who.tell(right[given]),
        "choice1": choices[label],
        "choice2": choices[1 - label],
        "question": "effect" if asked else "cause",
        "idx": row.number,
        "label": label,
    }


def hellaswag(row: SampleRow) -> SampleRecord:
    """The right ending is the next step of the activity, the wrong ones are steps of other activities."""
    activity, *others = row.some("activities", ACTIVITIES, 4)
    step = row.below("step", 3)
    label = row.below("label", 4)
    right = activity[1][step + 2]
    wrong = [row.one(f"wrong {i}", other[1]) for i, other in enumerate(others)]
    how_to = row.chance("how to", 40)
    ctx_a, ctx_b, ends = _how_to(row, activity, step) if how_to else _caption(row, activity, step)
    endings = [*wrong[:label], right, *wrong[label:]]
    return {
        "ind": row.number,
        "activity_label": activity[0],
        "ctx_a": ctx_a,
        "ctx_b": ctx_b,
        "ctx": f"{ctx_a} {ctx_b}".strip(),
        "endings": [ends.format(ending) for ending in endings],
        "source_id": f"wikihow~{row.below('source', 90000)}"
        if how_to
        else f"activitynet~v_{row.hexadecimal('source', 11)}",
        "split": {"validation": "val"}.get(row.split, row.split),
        "split_type": row.one("split type", ("indomain", "zeroshot")),
        "label": "" if row.split == "test" else str(label),
    }


def _caption(row: SampleRow, activity: tuple[str, tuple[str, ...]], step: int) -> tuple[str, str, str]:
    noun, he = row.one("noun", _SEEN)
    look = row.one("look", _LOOKS)
    first, second = activity[1][step], activity[1][step + 1]
    return (
        f"A {look} {noun} {first}. {he.capitalize()} {second}.",
        row.one("again", (he, f"the {noun}")),
        "{}.",
    )


def _how_to(row: SampleRow, activity: tuple[str, tuple[str, ...]], step: int) -> tuple[str, str, str]:
    done = activity[0].lower()
    look = row.one("look", _LOOKS)
    text = f"[header] How to be good at {done} [title] Watch a {look} friend. [step] Your friend {activity[1][step]}."
    ends = row.one("ends", ("Then your friend {}.", "After that your friend {}. [substeps] Do the same."))
    return f"{text} Your friend {activity[1][step + 1]}.", "", ends


_SEEN = (
    ("man", "he"),
    ("woman", "she"),
    ("boy", "he"),
    ("girl", "she"),
    ("lady", "she"),
    ("gentleman", "he"),
)
_LOOKS = (
    "tall", "young", "smiling", "tired", "bearded", "cheerful", "quiet", "busy", "calm", "careful", "serious", "slim",
    "strong", "short", "grey-haired", "blonde", "barefoot", "sunburnt", "friendly", "patient",
)  # fmt: skip


def piqa(row: SampleRow) -> SampleRecord:
    """The right solution reaches the goal, the wrong one uses an unsuitable thing."""
    goal, right, wrong = row.one("way", WAYS)
    label = row.below("label", 2)
    fill = {name: row.one(name, options) for name, options in _THINGS.items()}
    goal = goal.format(**fill) + (
        f" {row.one('occasion', _OCCASIONS)}" if row.chance("has an occasion", 75) else ""
    )
    asked = row.one("asked", _ASKED).format(goal)
    how = row.one(
        "how", ("{}", "{}.", "You can {}.", "Just {}.", "The best way is to {}.", "First of all, {}.")
    )
    solutions = [how.format(solution) for solution in (right, wrong)]
    solutions = [text[0].upper() + text[1:] for text in solutions]
    return {
        "goal": with_aside(row, asked, 0.5),
        "sol1": solutions[label],
        "sol2": solutions[1 - label],
        "label": label,
    }


_ASKED = (
    "How do you {}?",
    "how to {}",
    "To {}, you can",
    "When you want to {}",
    "What is a good way to {}?",
    "{}",
)
_OCCASIONS = (
    "at home", "on a camping trip", "at a friend's house", "at work", "on a rainy day", "before guests arrive",
    "without any help", "on a small budget", "as a beginner", "in a hurry", "for the first time", "in a rented flat",
)  # fmt: skip
_THINGS = {
    "wood": (
        "a plank",
        "an oak beam",
        "a wooden box",
        "a fence post",
        "a pine board",
        "a door frame",
        "a shelf",
    ),
    "time": (
        "noon",
        "eight o'clock",
        "sunset",
        "dinner",
        "midnight",
        "six in the morning",
        "dusk",
        "the evening",
    ),
    "drink": ("lemonade", "tea", "apple juice", "milk", "coffee", "cocoa", "orange juice", "tomato juice"),
    "furniture": ("a table", "a chair", "a bookshelf", "a desk", "a cupboard", "a bench", "a bed", "a stool"),
    "room": (
        "the kitchen",
        "the hall",
        "the attic",
        "the bedroom",
        "the office",
        "the cellar",
        "the living room",
    ),
    "food": (
        "potatoes",
        "rice",
        "carrots",
        "tomatoes",
        "beans",
        "onions",
        "spinach",
        "cabbage",
        "peas",
        "pumpkin",
    ),
}


def story_cloze(row: SampleRow) -> SampleRecord:
    """The right ending follows from the story, the wrong one contradicts it."""
    first, *rest, right, wrong = row.one("story", STORIES)
    opening = f"One {row.one('day', DAYS)} in {row.one('month', MONTHS)}, " if row.chance("dated", 70) else ""
    who = someone(row, "who")
    answer = row.between("answer", 1, 2)
    endings = [who.tell(right), who.tell(wrong)]
    return {
        "story_id": row.hexadecimal("id", 32),
        **{
            f"input_sentence_{i}": who.tell(sentence)
            for i, sentence in enumerate([opening + first, *rest], 1)
        },
        "sentence_quiz1": endings[answer - 1],
        "sentence_quiz2": endings[2 - answer],
        "answer_right_ending": answer,
    }


DATASETS = {
    ("aps/super_glue", "copa"): SampleDataset(
        "copa", {"train": 400, "validation": 100, "test": 500}, copa, hidden={"test": {"label": -1}}
    ),
    ("Rowan/hellaswag", "default"): SampleDataset(
        "hellaswag", {"train": 39905, "validation": 10042, "test": 10003}, hellaswag
    ),
    **{
        (repo, config): SampleDataset(
            "piqa", {"train": 16113, "validation": 1838, "test": 3084}, piqa, hidden={"test": {"label": -1}}
        )
        for repo, config in (("ybisk/piqa", "plain_text"), ("baber/piqa", "default"))
    },
    ("LSDSem/story_cloze", "2016"): SampleDataset(
        "story_cloze", {"validation": 1871, "test": 1871}, story_cloze
    ),
}
