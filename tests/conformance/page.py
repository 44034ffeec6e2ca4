"""The page docs/conformance.md: the table of results, and every snippet. README.md has the table's short form."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from consumers import CONSUMERS, ENVIRONMENTS, FOLDER, Consumer

PAGE = FOLDER.parents[1] / "docs" / "conformance.md"
START, END = "<!-- tests/conformance/run.py writes what follows -->", "<!-- end -->"
README = FOLDER.parents[1] / "README.md"
README_START, README_END = "<!-- tests/conformance/run.py writes this table -->", "<!-- end of the table -->"
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
    table = "\n".join([HEADER, *(row(c, results.get(c.name, NOT_RUN)) for c in CONSUMERS)])
    _replace(PAGE, START, f"{table}\n\n{snippets()}", END)


def write_readme(results: Mapping[str, Result]) -> None:
    """Puts the short form of the table into README.md: who reads it right, and who does not."""
    rows: dict[str, list[str]] = {}
    for consumer in CONSUMERS:
        result = results.get(consumer.name, NOT_RUN)
        link = f"[{consumer.name}](docs/conformance.md#{consumer.name})"
        rows.setdefault(_group(consumer, result), []).append(f"{link} {result.version}".strip())
    lines = [f"| {group} | {', '.join(names)} |" for group, names in rows.items()]
    title = f"{len(ENVIRONMENTS)} programs, each in an environment of its own, read the same mixture in {len(CONSUMERS)} ways:"
    _replace(
        README, README_START, "\n".join([f"{title}\n\n| result | consumers |\n|---|---|", *lines]), README_END
    )


def _group(consumer: Consumer, result: Result) -> str:
    if not result.version:
        return "not run"
    if not result.right:
        return f"not right: {consumer.known or 'see the page'}"
    if consumer.trains:
        return "every token and label right, with two tokenizers; three steps trained"
    return "every row right"


def _replace(path: Path, start: str, text: str, end: str) -> None:
    """Replaces what lies between two lines of a file."""
    before, rest = path.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


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
