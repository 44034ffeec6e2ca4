"""The page docs/conformance.md: the table of results, and every snippet."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from consumers import CONSUMERS, FOLDER, Consumer

PAGE = FOLDER.parents[1] / "docs" / "conformance.md"
START, END = "<!-- tests/conformance/run.py writes what follows -->", "<!-- end -->"
HEADER = "| consumer | version | view | lines of glue | result |\n|---|---|---|--:|---|"


@dataclass(frozen=True)
class Result:
    """What one consumer has read."""

    version: str
    right: bool
    found: tuple[str, ...]
    """for people"""

    def to_json(self) -> str:
        """The result as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """The result that `to_json` wrote."""
        values = json.loads(text)
        return cls(values["version"], values["right"], tuple(values["found"]))


NOT_RUN = Result("", False, ())


def write_page(results: Mapping[str, Result]) -> None:
    """Puts the table and the snippets into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    table = "\n".join([HEADER, *(row(c, results.get(c.name, NOT_RUN)) for c in CONSUMERS)])
    PAGE.write_text(f"{before}{START}\n{table}\n\n{snippets()}\n{END}{after}", encoding="utf-8")


def row(consumer: Consumer, result: Result) -> str:
    """The consumer's line of the table."""
    mark = "right" if result.right else "**not right**" if result.version else "**not run**"
    cells = (
        consumer.name,
        result.version,
        consumer.view,
        str(consumer.glue),
        "; ".join((mark, *result.found)),
    )
    return f"| {' | '.join(cells)} |"


def snippets() -> str:
    """The snippets, each under the consumer's name, as code."""
    return "\n".join(
        f"### {consumer.name}\n\n```python\n{consumer.snippet.read_text(encoding='utf-8')}```\n"
        for consumer in CONSUMERS
    )
