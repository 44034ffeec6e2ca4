"""The people, towns, companies and works of the generated texts, and the facts about them.

A fact is a relation with a value; a relation has sentences that state it and questions about it. The values of an
entity are keyed choices, so all datasets agree: the mayor in a passage is also the mayor in a triple and the answer
of a quiz.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from flanbuild.keys import row_keys, task_key
from flanbuild.sample import world
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.wording import article, sentence
from flanbuild.sample.world import words


@dataclass(frozen=True, slots=True)
class Relation:
    """One kind of fact: its possible values, and patterns of sentences and questions.

    `statements` are equivalent sentences, `questions` have the answer `{v}`, `yes_no` is a yes-no question. In the
    patterns `{s}` is the entity as subject, `{o}` as object, `{p}` its possessive, `{v}` the value and `{a}` the
    article of the value.
    """

    name: str
    values: Sequence[str]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    yes_no: str


@dataclass(frozen=True, slots=True)
class EntityKind:
    """A kind of entity: the names of its members, the noun in later sentences, and the relations."""

    name: str
    category: str
    noun: str
    names: Sequence[str]
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A person, town, company or other thing; `index` is its index in the names of its kind."""

    kind: EntityKind
    index: int

    @property
    def name(self) -> str:
        """The full name."""
        return self.kind.names[self.index]

    @property
    def short(self) -> tuple[str, str, str]:
        """Subject, object and possessive of later mentions: `("she", "her", "her")`."""
        if self.kind.name == "person":
            return ("she", "her", "her") if self.name.split(" ", 1)[0] in _WOMEN else ("he", "him", "his")
        return f"the {self.kind.noun}", f"the {self.kind.noun}", f"the {self.kind.noun}'s"

    def value(self, relation: Relation) -> str:
        """The true value of a relation."""
        return relation.values[_facts(self.kind.name)[relation.name][self.index]]

    def say(self, relation: Relation, wording: int, *, value: str | None = None, short: bool = False) -> str:
        """The fact as a sentence. Another `value` makes the sentence false; `short` uses a pronoun or noun for the name."""
        return sentence(self.clause(relation, wording, value=value, short=short))

    def clause(
        self, relation: Relation, wording: int, *, value: str | None = None, short: bool = False
    ) -> str:
        """The sentence of `say` without capital and full stop."""
        subject, objective, possessive = self.short if short else (self.name, self.name, f"{self.name}'s")
        pattern = relation.statements[wording % len(relation.statements)]
        value = value or self.value(relation)
        text = pattern.format(s=subject, o=objective, p=possessive, v=value, a=article(value))
        return (text if pattern.startswith("{") else text[0].lower() + text[1:]).removesuffix(".")

    def ask(self, relation: Relation, wording: int, *, short: bool = False) -> str:
        """A question with the value as its answer."""
        subject, _, possessive = self.short if short else (self.name, "", f"{self.name}'s")
        return relation.questions[wording % len(relation.questions)].format(s=subject, p=possessive)

    def whether(self, relation: Relation, value: str, *, short: bool = False) -> str:
        """A yes-no question about the value, with a small first letter and without question mark."""
        subject = self.short[0] if short else self.name
        return relation.yes_no.format(s=subject, v=value, a=article(value))


def entity(row: SampleRow, purpose: str, kind: str) -> Entity:
    """A random entity of the kind."""
    return Entity(KINDS[kind], row.below(purpose, len(KINDS[kind].names)))


def any_entity(row: SampleRow, purpose: str) -> Entity:
    """A random entity of any kind; a quarter are people."""
    return entity(row, purpose, row.one(f"{purpose} kind", _MOSTLY_PEOPLE))


def facts(row: SampleRow, purpose: str, about: Entity, count: int) -> list[Relation]:
    """`count` different relations of the entity."""
    return row.some(purpose, about.kind.relations, count)


def full_name(row: SampleRow, purpose: str) -> str:
    """A first name and a surname."""
    return row.one(purpose, PEOPLE)


@cache
def _facts(kind: str) -> dict[str, list[int]]:
    """For each relation, the index of the true value by the index of the entity."""
    numbers = np.arange(len(KINDS[kind].names))
    chosen = {}
    for relation in KINDS[kind].relations:
        keys = row_keys(task_key(0, f"sample fact {relation.name}", kind), numbers)
        chosen[relation.name] = (keys % np.uint64(len(relation.values))).tolist()
    return chosen


_WOMEN = frozenset(world.FEMALE)
PEOPLE = tuple(f"{first} {last}" for last in world.SURNAMES for first in (*world.FEMALE, *world.MALE))
TOWNS = tuple(start + end for end in world.TOWN_ENDS for start in world.TOWN_STARTS)
COMPANIES = tuple(
    f"{name} {branch}"
    for branch in (
        "Works",
        "Brothers",
        "Trading Company",
        "Industries",
        "Laboratories",
        "Foods",
        "Airways",
        "Motors",
    )
    for name in (*world.SURNAMES, *world.RIVERS)
)
_TITLES = tuple(
    f"The {adjective} {noun}"
    for noun in words(
        "Bell,Bridge,Clock,Door,Feather,Forest,Garden,Harbour,House,Island,Journey,Key,Lamp,Letter,Map,"
        "Mirror,Mountain,Night,Orchard,Piano,River,Road,Room,Sea,Ship,Shore,Song,Stair,Stone,Summer,Train,"
        "Valley,Winter",
        ",",
    )
    for adjective in words(
        "Amber,Blue,Broken,Burning,Distant,Empty,First,Forgotten,Frozen,Golden,Hidden,Hollow,Last,Little,"
        "Long,Lost,Painted,Quiet,Red,Second,Secret,Silent,Silver,Sleeping,Stolen,Tall,Thirteenth,White,"
        "Wild,Wooden",
        ",",
    )
)
_CLUBS = tuple(f"{town} {beast}" for beast in world.BEASTS for town in TOWNS[:40])
_BRIDGES = tuple(
    f"{name} {kind}"
    for kind in ("Bridge", "Tower", "Hall", "Palace", "Library", "Station")
    for name in (*world.RIVERS, *TOWNS[::9])
)
_DISHES = tuple(
    f"{name} {kind}"
    for kind in ("stew", "pie", "soup", "cake", "salad", "dumplings")
    for name in (*world.TOWN_STARTS[:40], *world.REGIONS)
)
_AIRPORTS = tuple(f"{town} Airport" for town in TOWNS[::2])


def _years(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(year) for year in range(first, last + 1))


def _numbers(low: int, high: int, step: int) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in range(low, high, step))


_PERSON = EntityKind(
    "person",
    "Person",
    "person",
    PEOPLE,
    (
        Relation(
            "birthPlace",
            TOWNS,
            ("{s} was born in {v}.", "{v} is the town where {s} was born.", "The birthplace of {o} is {v}."),
            ("Where was {s} born?", "In which town was {s} born?", "What is {p} birthplace?"),
            "was {s} born in {v}",
        ),
        Relation(
            "birthYear",
            _years(1850, 2001),
            ("{s} was born in {v}.", "The year of {p} birth is {v}.", "{s} came into the world in {v}."),
            ("In what year was {s} born?", "When was {s} born?", "What is the year of {p} birth?"),
            "was {s} born in {v}",
        ),
        Relation(
            "occupation",
            world.JOBS,
            ("{s} earned a living as {a} {v}.", "{s} worked as {a} {v}.", "{p} job was that of {a} {v}."),
            ("What did {s} work as?", "What was {p} job?", "How did {s} earn a living?"),
            "did {s} work as {a} {v}",
        ),
        Relation(
            "employer",
            COMPANIES,
            ("{s} was employed by {v}.", "{v} employed {o} for many years.", "The employer of {o} was {v}."),
            ("Who employed {s}?", "Which company did {s} work for?", "Who was {p} employer?"),
            "was {s} employed by {v}",
        ),
        Relation(
            "almaMater",
            world.SUBJECTS,
            ("{s} studied {v}.", "{s} took a degree in {v}.", "{p} degree was in {v}."),
            ("What did {s} study?", "In which subject did {s} take a degree?", "What was {p} degree in?"),
            "did {s} study {v}",
        ),
        Relation(
            "residence",
            TOWNS,
            ("{s} moved to {v} later.", "{s} later settled in {v}.", "Later {v} became the home of {o}."),
            ("Where did {s} move later?", "In which town did {s} settle?", "What town did {s} move to?"),
            "did {s} settle in {v}",
        ),
        Relation(
            "award",
            world.AWARDS,
            ("{s} won {v}.", "{s} was awarded {v}.", "{v} went to {o}."),
            ("What did {s} win?", "Which award did {s} receive?", "What was {s} awarded?"),
            "did {s} win {v}",
        ),
        Relation(
            "instrument",
            world.INSTRUMENTS,
            ("{s} could play the {v}.", "{s} was able to play the {v}.", "{s} had learned to play the {v}."),
            ("What instrument could {s} play?", "Which instrument had {s} learned?", "What did {s} play?"),
            "could {s} play the {v}",
        ),
        Relation(
            "language",
            world.LANGUAGES,
            ("{s} spoke {v}.", "{s} was a speaker of {v}.", "{s} knew how to speak {v}."),
            ("Which language did {s} speak?", "What language did {s} know?", "What did {s} speak?"),
            "did {s} speak {v}",
        ),
        Relation(
            "mentor",
            PEOPLE,
            ("{p} teacher was {v}.", "{s} was taught by {v}.", "{v} taught {o}."),
            ("Who taught {s}?", "Who was {p} teacher?", "By whom was {s} taught?"),
            "was {s} taught by {v}",
        ),
        Relation(
            "pet",
            world.PETS,
            ("{s} kept {v}.", "{s} was the owner of {v}.", "{s} owned {v}."),
            ("What did {s} keep?", "What animal did {s} own?", "Which pet did {s} have?"),
            "did {s} keep {v}",
        ),
    ),
)
_TOWN = EntityKind(
    "town",
    "City",
    "town",
    TOWNS,
    (
        Relation(
            "region",
            world.REGIONS,
            ("{s} lies in {v}.", "{s} is part of {v}.", "{s} is a town in {v}."),
            ("In which region does {s} lie?", "What region is {s} part of?", "Where does {s} lie?"),
            "is {s} part of {v}",
        ),
        Relation(
            "river",
            world.RIVERS,
            (
                "{s} stands on the river {v}.",
                "The river {v} runs through {s}.",
                "The river at {s} is the {v}.",
            ),
            ("Which river does {s} stand on?", "What river runs through {s}?", "Which river is at {s}?"),
            "does {s} stand on the river {v}",
        ),
        Relation(
            "founded",
            _years(1120, 1890),
            ("{s} was founded in {v}.", "The founding of {s} took place in {v}.", "{s} dates from {v}."),
            ("When was {s} founded?", "In what year was {s} founded?", "What year does {s} date from?"),
            "was {s} founded in {v}",
        ),
        Relation(
            "population",
            _numbers(2100, 98000, 130),
            ("{s} has {v} inhabitants.", "{v} people live in {s}.", "The population of {s} is {v}."),
            (
                "How many people live in {s}?",
                "What is the population of {s}?",
                "How many inhabitants does {s} have?",
            ),
            "does {s} have {v} inhabitants",
        ),
        Relation(
            "product",
            world.PRODUCTS,
            ("{s} is known for its {v}.", "{s} is famous for {v}.", "{v} made {s} famous."),
            ("What is {s} known for?", "What made {s} famous?", "What is {s} famous for?"),
            "is {s} known for its {v}",
        ),
        Relation(
            "leader",
            PEOPLE,
            ("The mayor of {s} is {v}.", "{v} is the mayor of {s}.", "{p} mayor is called {v}."),
            ("Who is the mayor of {s}?", "What is the name of {p} mayor?", "Which person is mayor of {s}?"),
            "is {v} the mayor of {s}",
        ),
        Relation(
            "landmark",
            world.LANDMARKS,
            (
                "{p} best known sight is {v}.",
                "Visitors of {s} come to see {v}.",
                "{s} has {v} that visitors come to see.",
            ),
            (
                "What is {p} best known sight?",
                "What do visitors of {s} come to see?",
                "Which sight does {s} have?",
            ),
            "does {s} have {v}",
        ),
        Relation(
            "festival",
            world.FESTIVALS,
            (
                "Every year {s} holds {v}.",
                "{s} is host to {v} every year.",
                "There is {v} in {s} every year.",
            ),
            (
                "What does {s} hold every year?",
                "What is {s} host to every year?",
                "What is there in {s} every year?",
            ),
            "does {s} hold {v}",
        ),
        Relation(
            "twinTown",
            TOWNS,
            ("{s} is twinned with {v}.", "{p} twin town is {v}.", "The twin town of {s} is {v}."),
            ("What is {p} twin town?", "Which town is {s} twinned with?", "What is the twin town of {s}?"),
            "is {s} twinned with {v}",
        ),
    ),
)
_COMPANY = EntityKind(
    "company",
    "Company",
    "company",
    COMPANIES,
    (
        Relation(
            "founder",
            PEOPLE,
            ("{s} was founded by {v}.", "{v} founded {s}.", "The founder of {s} is {v}."),
            ("Who founded {s}?", "Who is the founder of {s}?", "By whom was {s} founded?"),
            "was {s} founded by {v}",
        ),
        Relation(
            "foundingYear",
            _years(1805, 2015),
            ("{s} was set up in {v}.", "{s} opened for business in {v}.", "The year {s} was set up is {v}."),
            ("When was {s} set up?", "In what year was {s} set up?", "What year did {s} open for business?"),
            "was {s} set up in {v}",
        ),
        Relation(
            "headquarter",
            TOWNS,
            ("{s} has its head office in {v}.", "The head office of {s} is in {v}.", "{s} is based in {v}."),
            ("Where is the head office of {s}?", "Where is {s} based?", "In which town is {s} based?"),
            "is {s} based in {v}",
        ),
        Relation(
            "product",
            world.PRODUCTS,
            ("{s} makes {v}.", "{s} is a maker of {v}.", "The product that {s} makes is {v}."),
            ("What does {s} make?", "What is {s} a maker of?", "What product does {s} make?"),
            "does {s} make {v}",
        ),
        Relation(
            "employees",
            _numbers(40, 9000, 30),
            ("{s} employs {v} people.", "{v} people work for {s}.", "{s} has {v} workers."),
            (
                "How many people work for {s}?",
                "How many workers does {s} have?",
                "How many people does {s} employ?",
            ),
            "does {s} employ {v} people",
        ),
        Relation(
            "chairman",
            PEOPLE,
            ("{s} is led by {v}.", "{v} leads {s}.", "The head of {s} is {v}."),
            ("Who leads {s}?", "Who is the head of {s}?", "By whom is {s} led?"),
            "is {s} led by {v}",
        ),
        Relation(
            "revenue",
            tuple(f"{n} million crowns" for n in range(3, 960)),
            (
                "{s} earned {v} last year.",
                "Last year {s} earned {v}.",
                "The income of {s} last year was {v}.",
            ),
            (
                "How much did {s} earn last year?",
                "What was the income of {s} last year?",
                "What did {s} earn last year?",
            ),
            "did {s} earn {v} last year",
        ),
    ),
)
_BOOK = EntityKind(
    "book",
    "WrittenWork",
    "book",
    _TITLES,
    (
        Relation(
            "author",
            PEOPLE,
            ("{s} was written by {v}.", "{v} wrote {s}.", "The author of {s} is {v}."),
            ("Who wrote {s}?", "Who is the author of {s}?", "By whom was {s} written?"),
            "was {s} written by {v}",
        ),
        Relation(
            "publicationDate",
            _years(1821, 2021),
            ("{s} was published in {v}.", "{s} came out in {v}.", "{s} first appeared in {v}."),
            ("When was {s} published?", "In what year did {s} come out?", "When did {s} first appear?"),
            "was {s} published in {v}",
        ),
        Relation(
            "genre",
            world.GENRES,
            ("{s} is {a} {v}.", "{s} is counted as {a} {v}.", "Libraries shelve {s} as {a} {v}."),
            ("What kind of book is {s}?", "What is {s} counted as?", "What do libraries shelve {s} as?"),
            "is {s} {a} {v}",
        ),
        Relation(
            "setting",
            TOWNS,
            ("{s} is set in {v}.", "The setting of {s} is {v}.", "The events of {s} take place in {v}."),
            ("Where is {s} set?", "What is the setting of {s}?", "Where do the events of {s} take place?"),
            "is {s} set in {v}",
        ),
        Relation(
            "numberOfPages",
            _numbers(48, 990, 1),
            ("{s} has {v} pages.", "{s} is {v} pages long.", "There are {v} pages in {s}."),
            (
                "How many pages does {s} have?",
                "How long is {s} in pages?",
                "How many pages are there in {s}?",
            ),
            "does {s} have {v} pages",
        ),
        Relation(
            "mainCharacter",
            world.JOBS,
            (
                "The hero of {s} is {a} {v}.",
                "{s} tells the story of {a} {v}.",
                "{s} follows the life of {a} {v}.",
            ),
            (
                "What is the job of the hero of {s}?",
                "Whose life does {s} follow?",
                "Whose story does {s} tell?",
            ),
            "does {s} tell the story of {a} {v}",
        ),
        Relation(
            "language",
            world.LANGUAGES,
            (
                "{s} was first written in {v}.",
                "The first language of {s} is {v}.",
                "{s} was written in {v} first.",
            ),
            (
                "In which language was {s} first written?",
                "What is the first language of {s}?",
                "What language was {s} written in?",
            ),
            "was {s} first written in {v}",
        ),
    ),
)
_BUILDING = EntityKind(
    "building",
    "Building",
    "building",
    _BRIDGES,
    (
        Relation(
            "architect",
            PEOPLE,
            ("{s} was designed by {v}.", "{v} designed {s}.", "The architect of {s} was {v}."),
            ("Who designed {s}?", "Who was the architect of {s}?", "By whom was {s} designed?"),
            "was {s} designed by {v}",
        ),
        Relation(
            "location",
            TOWNS,
            ("{s} stands in {v}.", "{s} can be found in {v}.", "The location of {s} is {v}."),
            ("Where does {s} stand?", "In which town does {s} stand?", "What is the location of {s}?"),
            "does {s} stand in {v}",
        ),
        Relation(
            "completionDate",
            _years(1488, 2019),
            ("{s} was completed in {v}.", "Work on {s} ended in {v}.", "{s} has been complete since {v}."),
            ("When was {s} completed?", "In what year was {s} completed?", "When did work on {s} end?"),
            "was {s} completed in {v}",
        ),
        Relation(
            "material",
            world.MATERIALS,
            ("{s} is built of {v}.", "{s} is made of {v}.", "The builders of {s} used {v}."),
            ("What is {s} built of?", "What is {s} made of?", "What did the builders of {s} use?"),
            "is {s} made of {v}",
        ),
        Relation(
            "length",
            tuple(f"{n} metres" for n in range(18, 640)),
            ("{s} is {v} long.", "The length of {s} is {v}.", "From end to end {s} measures {v}."),
            ("How long is {s}?", "What is the length of {s}?", "What does {s} measure from end to end?"),
            "is {s} {v} long",
        ),
        Relation(
            "owner",
            COMPANIES,
            ("{s} is owned by {v}.", "{v} owns {s}.", "The owner of {s} is {v}."),
            ("Who owns {s}?", "Who is the owner of {s}?", "By whom is {s} owned?"),
            "is {s} owned by {v}",
        ),
        Relation(
            "cost",
            tuple(f"{n} million crowns" for n in range(2, 480)),
            ("{s} cost {v}.", "The cost of {s} was {v}.", "It took {v} to build {s}."),
            ("How much did {s} cost?", "What was the cost of {s}?", "What did it take to build {s}?"),
            "did {s} cost {v}",
        ),
    ),
)
_CLUB = EntityKind(
    "club",
    "SportsTeam",
    "club",
    _CLUBS,
    (
        Relation(
            "manager",
            PEOPLE,
            ("{s} are trained by {v}.", "{v} trains {s}.", "The coach of {s} is {v}."),
            ("Who trains {s}?", "Who is the coach of {s}?", "By whom are {s} trained?"),
            "are {s} trained by {v}",
        ),
        Relation(
            "ground",
            tuple(f"{street} Stadium" for street in world.STREETS),
            ("{s} play at {v}.", "{v} is the home ground of {s}.", "The home ground of {s} is {v}."),
            ("Where do {s} play?", "What is the home ground of {s}?", "At which ground do {s} play?"),
            "do {s} play at {v}",
        ),
        Relation(
            "numberOfMembers",
            _numbers(120, 9900, 20),
            (
                "{s} have {v} members.",
                "{v} people are members of {s}.",
                "The number of members of {s} is {v}.",
            ),
            (
                "How many members do {s} have?",
                "How many people are members of {s}?",
                "What is the number of members of {s}?",
            ),
            "do {s} have {v} members",
        ),
        Relation(
            "colour",
            world.COLOURS,
            ("{s} wear {v} shirts.", "The shirts of {s} are {v}.", "{s} play in {v} shirts."),
            (
                "What colour are the shirts of {s}?",
                "Which colour do {s} wear?",
                "In what colour do {s} play?",
            ),
            "do {s} wear {v} shirts",
        ),
        Relation(
            "champions",
            _years(1921, 2023),
            (
                "{s} won the league in {v}.",
                "{s} were champions in {v}.",
                "The league title of {v} went to {s}.",
            ),
            (
                "When did {s} win the league?",
                "In what year were {s} champions?",
                "Which year did {s} win the title?",
            ),
            "did {s} win the league in {v}",
        ),
        Relation(
            "season",
            tuple(f"{n} games" for n in range(3, 34)),
            (
                "{s} won {v} last season.",
                "Last season {s} won {v}.",
                "The wins of {s} last season came to {v}.",
            ),
            (
                "How many games did {s} win last season?",
                "What did {s} win last season?",
                "How many wins did {s} have?",
            ),
            "did {s} win {v} last season",
        ),
    ),
)
_FOOD = EntityKind(
    "dish",
    "Food",
    "dish",
    _DISHES,
    (
        Relation(
            "ingredient",
            world.INGREDIENTS,
            ("{s} is made with {v}.", "{s} contains {v}.", "A main ingredient of {s} is {v}."),
            ("What is {s} made with?", "What does {s} contain?", "What is a main ingredient of {s}?"),
            "does {s} contain {v}",
        ),
        Relation(
            "region",
            world.REGIONS,
            ("{s} comes from {v}.", "{s} is a dish from {v}.", "The home of {s} is {v}."),
            ("Where does {s} come from?", "What region does {s} come from?", "What is the home of {s}?"),
            "does {s} come from {v}",
        ),
        Relation(
            "creator",
            PEOPLE,
            ("{s} was first cooked by {v}.", "{v} first cooked {s}.", "The inventor of {s} is {v}."),
            ("Who first cooked {s}?", "Who is the inventor of {s}?", "By whom was {s} first cooked?"),
            "was {s} first cooked by {v}",
        ),
        Relation(
            "cookingTime",
            tuple(f"{n} minutes" for n in range(10, 181, 5)),
            ("{s} takes {v} to cook.", "It takes {v} to cook {s}.", "The cooking time of {s} is {v}."),
            (
                "How long does {s} take to cook?",
                "What is the cooking time of {s}?",
                "How long does it take to cook {s}?",
            ),
            "does {s} take {v} to cook",
        ),
        Relation(
            "servedOn",
            world.DAYS,
            ("{s} is served on {v}.", "People eat {s} on {v}.", "The day for {s} is {v}."),
            ("On which day is {s} served?", "When do people eat {s}?", "What is the day for {s}?"),
            "is {s} served on {v}",
        ),
    ),
)
_AIRPORT = EntityKind(
    "airport",
    "Airport",
    "airport",
    _AIRPORTS,
    (
        Relation(
            "cityServed",
            TOWNS,
            ("{s} serves {v}.", "{v} is served by {s}.", "The town that {s} serves is {v}."),
            ("Which town does {s} serve?", "What town is served by {s}?", "What town does {s} serve?"),
            "does {s} serve {v}",
        ),
        Relation(
            "runwayLength",
            tuple(f"{n} metres" for n in range(900, 4200, 7)),
            ("The runway of {s} is {v} long.", "{s} has a runway of {v}.", "{p} runway measures {v}."),
            (
                "How long is the runway of {s}?",
                "What does {p} runway measure?",
                "What is the length of {p} runway?",
            ),
            "is the runway of {s} {v} long",
        ),
        Relation(
            "operatingOrganisation",
            COMPANIES,
            ("{s} is run by {v}.", "{v} runs {s}.", "The operator of {s} is {v}."),
            ("Who runs {s}?", "Who is the operator of {s}?", "By whom is {s} run?"),
            "is {s} run by {v}",
        ),
        Relation(
            "elevation",
            tuple(f"{n} metres" for n in range(2, 880)),
            ("{s} lies {v} above the sea.", "The elevation of {s} is {v}.", "{s} is {v} above sea level."),
            (
                "How high above the sea does {s} lie?",
                "What is the elevation of {s}?",
                "How far above sea level is {s}?",
            ),
            "does {s} lie {v} above the sea",
        ),
        Relation(
            "opened",
            _years(1919, 2018),
            ("{s} was opened in {v}.", "{s} has been open since {v}.", "The opening of {s} was in {v}."),
            ("When was {s} opened?", "In what year was {s} opened?", "When was the opening of {s}?"),
            "was {s} opened in {v}",
        ),
        Relation(
            "passengers",
            _numbers(11000, 980000, 1700),
            (
                "{s} handles {v} passengers a year.",
                "{v} passengers a year use {s}.",
                "Every year {v} passengers use {s}.",
            ),
            (
                "How many passengers use {s} a year?",
                "How many passengers does {s} handle?",
                "How many passengers a year use {s}?",
            ),
            "does {s} handle {v} passengers a year",
        ),
    ),
)

KINDS = {kind.name: kind for kind in (_PERSON, _TOWN, _COMPANY, _BOOK, _BUILDING, _CLUB, _FOOD, _AIRPORT)}
_MOSTLY_PEOPLE = ("person", "person", "person", *KINDS)
