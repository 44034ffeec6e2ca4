"""Checks of a mixture against the tasks: names that must exist, and the rules under its `require`.

The rules of the paper (ten templates, at most three of them inverted, …) are written in mixtures/flan2021.yaml. A
mixture without `require` accepts every task file that fits the format.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from flanbuild.declare.document import Faults
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.params import load_params
from flanbuild.declare.task import OPTIONS, Task, Template
from flanbuild.declare.task_checks import Fault
from flanbuild.errors import DeclarationError, nearest


def check_mixture(mixture: Mixture, tasks: Iterable[Task]) -> None:
    """Checks that every name in the mixture exists among `tasks`, and that the tasks it trains on meet `require`.

    `tasks` are all known tasks. Raises DeclarationError with all faults.
    """
    known = {task.name: task for task in tasks}
    faults = [*mixture.unknown_clusters(known.values()), *mixture.unknown_tasks(known.values())]
    if not faults:
        for task in trained(mixture, known.values()):
            here = task.faults()
            for keys, sentence in (*_too_few_to_draw(mixture, task), *_unmet(mixture, task)):
                here.add(keys, sentence)
            faults += here
    if faults:
        raise DeclarationError(*dict.fromkeys(faults))


def check_holdouts(path: Path, tasks: Iterable[Task]) -> None:
    """Checks that every name held out in the params.yaml at `path` is a cluster, dataset or task among `tasks`.

    Raises DeclarationError with all faults, those of the file itself included.
    """
    names = {name for task in tasks for name in (task.name, task.dataset, task.cluster)}
    faults = Faults(path)
    for folder, entry in load_params(path).holdouts.items():
        for index, name in enumerate(entry.holdout):
            if name not in names:
                keys = ("holdouts", folder, "holdout", index)
                faults.add(keys, f"no cluster, dataset or task '{name}'.{nearest(name, names)}")
    if faults:
        raise DeclarationError(*faults)


def trained(mixture: Mixture, tasks: Iterable[Task]) -> list[Task]:
    """The tasks that the mixture trains on when nothing is held out, in name order."""
    known = {task.name: task for task in tasks}
    members = [known[name] for name in mixture.members(known.values())]
    return [task for task in members if "train" in task.splits and not mixture.refused(task.source.license)]


def _too_few_to_draw(mixture: Mixture, task: Task) -> Iterator[Fault]:
    """A row that comes under several templates at a time needs as many different ones."""
    if len(task.templates) < mixture.templates_each:
        rule = f"{Faults(mixture.path).position(('templates_per_example',))} (templates_per_example)"
        yield (
            ("templates",),
            f"found {_templates(len(task.templates))}; {rule} takes each row under {mixture.templates_each}.",
        )


def _unmet(mixture: Mixture, task: Task) -> Iterator[Fault]:
    """The requirements that the task does not meet."""
    require = mixture.require
    inverted = [i for i, template in enumerate(task.templates) if template.kind == "inverted"]
    if require.clusters is not None and task.cluster not in require.clusters:
        rule = _rule(mixture, "clusters")
        yield (
            (),
            f"cluster '{task.cluster}' is not among those of {rule}.{nearest(task.cluster, require.clusters)}",
        )
    if require.templates is not None and len(task.templates) < require.templates:
        rule = _rule(mixture, "templates")
        yield (
            ("templates",),
            f"found {_templates(len(task.templates))}; {rule} needs at least {require.templates}.",
        )
    if require.inverted is not None and len(inverted) > require.inverted:
        rule = _rule(mixture, "inverted")
        yield (
            ("templates", inverted[require.inverted]),
            f"found {len(inverted)} inverted templates; {rule} allows {require.inverted}.",
        )
    if not require.inverted_options:
        for i in inverted:
            if _shows_options(task.templates[i]):
                rule = _rule(mixture, "inverted_options")
                yield ("templates", i), f"an inverted template shows {{{OPTIONS}}}; {rule} does not allow it."
    if require.options_shown and task.options is not None and not any(map(_shows_options, task.templates)):
        yield ("templates",), f"no template shows {{{OPTIONS}}}; {_rule(mixture, 'options_shown')} needs one."
    if require.distinct_templates:
        for i, first in _alike(task.templates):
            rule = _rule(mixture, "distinct_templates")
            yield (
                ("templates", i),
                f"the same fields and words as templates[{first}]; {rule} needs them to differ.",
            )


def _templates(count: int) -> str:
    return f"{count} template" if count == 1 else f"{count} templates"


def _rule(mixture: Mixture, name: str) -> str:
    """`mixtures/flan2021.yaml:29 (require.templates)`."""
    return f"{Faults(mixture.path).position(('require', name))} (require.{name})"


def _shows_options(template: Template) -> bool:
    return f"{{{OPTIONS}}}" in template.inputs + template.targets


def _alike(templates: Iterable[Template]) -> Iterator[tuple[int, int]]:
    """(template, earlier template with the same words and fields in the same order)."""
    first: dict[str, int] = {}
    for i, template in enumerate(templates):
        words = _words(template)
        if words in first:
            yield i, first[words]
        first.setdefault(words, i)


def _words(template: Template) -> str:
    """Inputs and targets without case, punctuation and white space; field names stay."""
    return re.sub(r"[^\w{}\0]+", " ", f"{template.inputs}\0{template.targets}").casefold()
