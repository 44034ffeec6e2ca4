"""What a browser would find in an HTML page: tables by caption, tags with attributes, the text of preformatted parts."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = dict[str, str | None]


@dataclass
class Parsed:
    """`tables`: caption -> rows of all tables of that caption, each header -> text. `tags`: (name, attributes) in order. `texts`: of `pre` elements."""

    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    tags: list[tuple[str, Attributes]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    visible: str = ""


def parse(html: str) -> Parsed:
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.parsed


def number(text: str) -> int:
    """The number that a table shows as `1,234`."""
    return int(text.replace(",", ""))


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.parsed, self.inside, self.text = Parsed(), [], ""
        self.caption, self.header, self.row = "", [], []

    def handle_starttag(self, tag, attrs):
        self.parsed.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag in ("caption", "th", "td", "pre"):
            self.text = ""
        if tag == "table":
            self.header = []
        if tag == "tr":
            self.row = []

    def handle_data(self, data):
        self.text += data
        if not {"script", "style"} & set(self.inside):
            self.parsed.visible += data

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass
        if tag == "caption":
            self.caption = self.text
            self.parsed.tables.setdefault(self.caption, [])
        if tag == "pre":
            self.parsed.texts.append(self.text)
        if tag in ("th", "td"):
            (self.header if "thead" in self.inside else self.row).append(self.text)
        if tag == "tr" and self.row:
            self.parsed.tables[self.caption].append(dict(zip(self.header, self.row, strict=True)))
