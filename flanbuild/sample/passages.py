"""Short texts about one entity with known facts, for the datasets of reading comprehension and inference."""

from dataclasses import dataclass

from flanbuild.sample.entities import Entity, Relation, any_entity, facts
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import ASIDES


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentence i states relation i of the entity in wording `wordings[i]` of the relation."""

    about: Entity
    relations: list[Relation]
    sentences: list[str]
    wordings: list[int]

    @property
    def text(self) -> str:
        """The sentences in order."""
        return " ".join(self.sentences)

    def unstated(self, row: SampleRow, purpose: str) -> Relation:
        """A relation of the entity that the passage does not state."""
        stated = {relation.name for relation in self.relations}
        unstated = [relation for relation in self.about.kind.relations if relation.name not in stated]
        return row.one(purpose, unstated)


def passage(row: SampleRow, purpose: str, count: int) -> Passage:
    """A passage of `count` facts (at most 4) about an entity of any kind."""
    return passage_about(row, purpose, any_entity(row, purpose), count)


def passage_about(row: SampleRow, purpose: str, about: Entity, count: int) -> Passage:
    """A passage of `count` facts (at most 4) about the entity. Some sentences after the first use a pronoun."""
    relations = facts(row, f"{purpose} facts", about, count)
    bits = row.bits(f"{purpose} wording")
    wordings = [(bits >> 3 * index) % 3 for index in range(count)]
    sentences = [
        about.say(relation, wording, short=index > 0 and (bits >> 20 + 2 * index) % 4 > 0)
        for index, (relation, wording) in enumerate(zip(relations, wordings, strict=True))
    ]
    return Passage(about, relations, sentences, wordings)


def with_aside(row: SampleRow, text: str, percent: float = 1) -> str:
    """The text; in `percent` of the rows with a last sentence with braces, quotes, tabs or another script."""
    return f"{text} {row.one('aside', ASIDES)}" if row.chance("has an aside", percent) else text


def wrong_value(row: SampleRow, purpose: str, about: Entity, relation: Relation) -> str:
    """A value of the relation that is false for the entity."""
    return row.other(purpose, relation.values, about.value(relation))
