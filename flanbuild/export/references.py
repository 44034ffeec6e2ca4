"""The page or paper of each dataset of a mixture, as its task file states it.

The manifest has no pages, but it has the digest of each task's declaration, in which the page is. So only task files that
declare what the manifest was made from count; of other tasks nothing is said.
"""

import re
from collections.abc import Iterable

from flanbuild.artifacts.records import Manifest
from flanbuild.declare.project import task_files
from flanbuild.render.splits import declaration

RECIPE = "2109.01652"
"""arXiv number of Wei et al., Finetuned Language Models Are Zero-Shot Learners."""
_ARXIV = re.compile(r"https?://arxiv\.org/abs/(?P<number>\d{4}\.\d{4,5})")


def dataset_pages(manifest: Manifest) -> dict[str, str]:
    """Dataset -> the page of its authors, for the tasks that give examples, in name order."""
    given = {name: task for name, task in manifest.tasks.items() if task.given}
    known = task_files() if given else {}
    return {
        task.dataset: known[name].source.homepage
        for name, task in sorted(given.items())
        if name in known and declaration(known[name]) == task.declaration and known[name].source.homepage
    }


def arxiv_tags(pages: Iterable[str]) -> list[str]:
    """The hub's tags for pages that are papers on arXiv, and for the paper of the recipe; sorted."""
    numbers = {match["number"] for page in pages if (match := _ARXIV.match(page))}
    return [f"arxiv:{number}" for number in sorted(numbers | {RECIPE})]


def reference_lines(pages: dict[str, str]) -> list[str]:
    """The section of a card; empty if no page is known."""
    if not pages:
        return []
    lines = ["", "## Pages of the datasets", "", "Cite the datasets that you use, as their authors ask:", ""]
    return [*lines, *(f"- {dataset}: <{page}>" for dataset, page in pages.items())]
