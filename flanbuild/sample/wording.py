"""Articles, capitals and full stops of generated sentences."""

import re


def article(noun: str) -> str:
    """The indefinite article of the noun: `a` or `an`."""
    return "an" if noun[0] in "aeiouAEIOU" else "a"


def with_articles(text: str) -> str:
    """The text with the right indefinite articles: `a umbrella` becomes `an umbrella`."""
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
