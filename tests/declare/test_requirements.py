"""The rules of a mixture for its task files: they bind that mixture and no other."""

from pathlib import Path

import pytest
from conftest import PAGE

from flanbuild.declare.mixture import Mixture, Requirements
from flanbuild.declare.requirements import check_holdouts, check_mixture
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError

LAST = PAGE.rindex("  - inputs")
INVERTED = PAGE.replace('"{answer}"', '"{answer}"\n    kind: inverted', 4)


@pytest.fixture
def mixture(tmp_path):
    """Writes a mixture file with this `require` and returns the mixture."""

    def make(**require) -> Mixture:
        path = tmp_path / "mine.yaml"
        lines = [f"  {key}: {value}" for key, value in require.items()]
        path.write_text("\n".join(["cap: 10", "require:", *lines]))
        return Mixture(name="mine", path=path, require=Requirements(**require))

    return make


def unmet(mixture: Mixture, folder: Path) -> list[str]:
    try:
        check_mixture(mixture, load_tasks([folder]).values())
    except DeclarationError as error:
        return [fault.replace(f"{folder.parent}/", "") for fault in error.faults]
    return []


def test_a_mixture_without_require_takes_every_task_file(pages, mixture):
    pages(PAGE[:LAST], cluster="mine")
    folder = pages(INVERTED, name="other", cluster="mine")

    assert unmet(mixture(), folder) == []


UNMET = {
    "too few templates": ({"templates": 10}, PAGE[:LAST], "pages/nli/rte.yaml:9: templates: found 9 templates; mine.yaml:3 (require.templates) needs at least 10."),
    "too many inverted ones": ({"inverted": 3}, INVERTED, "pages/nli/rte.yaml:28: templates[3]: found 4 inverted templates; mine.yaml:3 (require.inverted) allows 3."),
    "inverted ones with options": ({"inverted_options": False}, INVERTED, "pages/nli/rte.yaml:10: templates[0]: an inverted template shows {options_}; mine.yaml:3 (require.inverted_options) does not allow it."),
    "options never shown": ({"options_shown": True}, PAGE.replace("      {options_}\n", ""), "pages/nli/rte.yaml:9: templates: no template shows {options_}; mine.yaml:3 (require.options_shown) needs one."),
    "the same words": ({"distinct_templates": True}, PAGE.replace("Wording two: ", "Wording, one! "), "pages/nli/rte.yaml:15: templates[1]: the same fields and words as templates[0]; mine.yaml:3 (require.distinct_templates) needs them to differ."),
    "another cluster": ({"clusters": ["nlu"]}, PAGE, "pages/nli/rte.yaml: cluster 'nli' is not among those of mine.yaml:3 (require.clusters). Did you mean 'nlu'?"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNMET)
def test_a_requirement_names_the_task_file_and_its_own_line(pages, mixture, name):
    require, text, sentence = UNMET[name]

    assert sentence in unmet(mixture(**require), pages(text))


@pytest.mark.parametrize("name", UNMET)
def test_what_a_requirement_forbids_is_no_fault_of_the_format(pages, mixture, name):
    assert unmet(mixture(), pages(UNMET[name][1])) == []


def test_all_unmet_requirements_of_all_task_files_are_reported_together(pages, mixture):
    pages(PAGE[:LAST], name="first")
    folder = pages(INVERTED, name="second")

    faults = unmet(mixture(templates=10, inverted=3), folder)

    assert [fault.partition(".yaml")[0] for fault in faults] == ["pages/nli/first", "pages/nli/second"]


def test_requirements_bind_only_what_is_trained_on(pages, mixture):
    folder = pages(PAGE[:LAST], name="few")
    pages(PAGE, name="ten", cluster="other")
    declared = mixture(templates=10)

    assert len(unmet(declared, folder)) == 1
    assert unmet(declared.model_copy(update={"clusters": ("other",)}), folder) == []
    assert unmet(declared.model_copy(update={"tasks": ("ten",)}), folder) == []


def test_a_row_comes_under_as_many_templates_as_its_task_has(pages, mixture):
    declared = mixture().model_copy(update={"templates_per_example": "all"})

    assert unmet(declared, pages(PAGE)) == []
    assert unmet(declared, pages(PAGE[:LAST])) == [
        "pages/nli/rte.yaml:9: templates: found 9 templates; "
        "mine.yaml (templates_per_example) takes each row under 10."
    ]


def test_an_evaluation_only_task_is_not_trained_on(pages, mixture):
    only = PAGE[:LAST].replace("train: train, ", "").replace("validation: {of: train, rows: 20}, ", "")

    assert unmet(mixture(templates=10), pages(only)) == []


def test_the_papers_rules_hold_for_flan2021_alone(pages, flan2021, tasks):
    few = {task.name: task for task in load_tasks([pages(PAGE[:LAST], name="few")]).values()}

    with pytest.raises(DeclarationError, match=r"few.yaml:9: .*flan2021.yaml:\d+ \(require.templates\)"):
        check_mixture(flan2021, [*tasks.values(), *few.values()])
    check_mixture(flan2021, tasks.values())


def test_flan2021_trains_on_the_clusters_that_it_requires(flan2021):
    assert flan2021.require.clusters == flan2021.clusters
    assert len(flan2021.clusters) == 12


def test_requirements_are_no_part_of_a_fingerprint(flan2021):
    assert "require" not in flan2021.model_dump(mode="json")


def test_a_cluster_that_no_task_has_is_named_with_its_nearest(tasks, tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("clusters: [nli, sentimant]\nrelated: [[nli, parafrase]]\n")
    declared = Mixture(name="m", path=path, clusters=("nli", "sentimant"), related=(("nli", "parafrase"),))

    with pytest.raises(DeclarationError) as caught:
        check_mixture(declared, tasks.values())

    assert caught.value.faults == (
        f"{path}:1: clusters[1]: no cluster 'sentimant'. Did you mean 'sentiment'?",
        f"{path}:2: related[0]: no cluster 'parafrase'. Did you mean 'paraphrase'?",
    )


def test_a_cluster_of_ones_own_is_trained_on_and_held_out(pages, tasks):
    from flanbuild.declare.mixture import hold_out

    own = load_tasks([pages(PAGE, name="weather", cluster="forecasts")])
    declared = Mixture(
        name="m", path="m.yaml", clusters=("forecasts", "nli"), related=(("forecasts", "nli"),)
    )
    known = [*tasks.values(), *own.values()]

    check_mixture(declared, known)

    assert "weather" in declared.members(known)
    assert set(hold_out(declared, ["forecasts"], known)) == {"forecasts", "nli"}


def test_a_hold_out_of_params_may_be_a_cluster_a_dataset_and_a_task(tasks, tmp_path):
    names = "{anli-arc.easy-nli: {holdout: [nli, anli, arc/easy]}}"
    (tmp_path / "params.yaml").write_text(f"holdouts: {names}\n")

    check_holdouts(tmp_path / "params.yaml", tasks.values())


def test_a_wrong_hold_out_of_params_is_named_with_its_line(tasks, tmp_path):
    (tmp_path / "params.yaml").write_text("holdouts:\n  sentimant: {holdout: [sentimant]}\n")

    with pytest.raises(DeclarationError) as caught:
        check_holdouts(tmp_path / "params.yaml", tasks.values())

    assert str(caught.value).endswith(
        "params.yaml:2: holdouts.sentimant.holdout[0]: no cluster, dataset or task 'sentimant'. "
        "Did you mean 'sentiment'?"
    )
