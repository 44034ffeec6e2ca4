"""Short texts about one entity, of which we know every fact: the ground of the reading and inference datasets."""

from dataclasses import dataclass

from flanbuild.sample.entities import Entity, Relation, any_entity, facts
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import ASIDES


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentence i tells relation i of the entity, in the relation's wording i."""

    about: Entity
    relations: list[Relation]
    sentences: list[str]
    wordings: list[int]

    @property
    def text(self) -> str:
        """The sentences in order."""
        return " ".join(self.sentences)

    def untold(self, row: SampleRow, purpose: str) -> Relation:
        """A relation of the entity on which the passage is silent."""
        told = {relation.name for relation in self.relations}
        silent = [relation for relation in self.about.kind.relations if relation.name not in told]
        return row.one(purpose, silent)


def passage(row: SampleRow, purpose: str, count: int) -> Passage:
    """`count` facts (at most 4) about any entity."""
    return passage_about(row, purpose, any_entity(row, purpose), count)


def passage_about(row: SampleRow, purpose: str, about: Entity, count: int) -> Passage:
    """`count` facts about the entity; the first sentence names it, some later ones don't."""
    told = facts(row, f"{purpose} facts", about, count)
    bits = row.bits(f"{purpose} wording")
    wordings = [(bits >> 3 * place) % 3 for place in range(count)]
    sentences = [
        about.say(relation, wording, short=place > 0 and (bits >> 20 + 2 * place) % 4 > 0)
        for place, (relation, wording) in enumerate(zip(told, wordings, strict=True))
    ]
    return Passage(about, told, sentences, wordings)


def with_aside(row: SampleRow, text: str, percent: float = 1) -> str:
    """The text, now and then followed by a line with braces, quotes, tabs or another script."""
    return f"{text} {row.one('aside', ASIDES)}" if row.chance("has an aside", percent) else text


def wrong_value(row: SampleRow, purpose: str, of: Entity, relation: Relation) -> str:
    """A value that the relation doesn't have."""
    return row.other(purpose, relation.values, of.value(relation))
