import os
from collections import Counter

import pytest

from flanbuild.declare.mixture import hold_out, load_mixture
from flanbuild.errors import DeclarationError

LEAVES = {  # FLAN.md section 4; paper, section 2.2 and FLAN's split code
    "nli": {"paraphrase"},
    "paraphrase": {"nli"},
    "reading_comprehension": {"reading_comprehension_commonsense"},
    "commonsense": {"reading_comprehension_commonsense"},
    "reading_comprehension_commonsense": {"reading_comprehension", "commonsense"},
}


def test_a_cluster_takes_its_related_ones_with_it(flan2021, tasks):
    for cluster in flan2021.clusters:
        related = LEAVES.get(cluster, set())

        assert set(hold_out(flan2021, [cluster], tasks.values())) == {cluster} | related


def test_the_relation_is_symmetric(flan2021, tasks):
    for one in flan2021.clusters:
        for other in hold_out(flan2021, [one], tasks.values()):
            assert one in hold_out(flan2021, [other], tasks.values())


def test_a_held_out_cluster_states_its_rule(flan2021, tasks):
    held_out = hold_out(flan2021, ["nli"], tasks.values())

    assert held_out["nli"].asked
    assert held_out["nli"].rule == "held out: --holdout nli"
    assert not held_out["paraphrase"].asked
    assert held_out["paraphrase"].rule == "related to nli (paper, section 2.2)"


def test_a_pair_that_the_paper_does_not_have_names_the_file(flan2021, tasks):
    declared = flan2021.model_copy(update={"related": (("nli", "coreference"),)})

    assert (
        hold_out(declared, ["nli"], tasks.values())["coreference"].rule == "related to nli in flan2021.yaml"
    )


def test_every_mixture_has_the_pairs_of_the_paper_unless_it_says_none(tmp_path, tasks):
    (tmp_path / "plain.yaml").write_text("seed: 1\n")
    (tmp_path / "none.yaml").write_text("related: []\n")

    plain, none = (load_mixture(tmp_path / f"{name}.yaml") for name in ("plain", "none"))

    assert set(hold_out(plain, ["nli"], tasks.values())) == {"nli", "paraphrase"}
    assert set(hold_out(none, ["nli"], tasks.values())) == {"nli"}


def test_pairs_of_the_paper_whose_clusters_are_not_there_are_no_fault(flan2021, tasks):
    known = [task for task in tasks.values() if task.cluster in ("nli", "sentiment")]
    declared = flan2021.model_copy(update={"clusters": ("nli", "sentiment")})

    assert list(declared.unknown_clusters(known)) == []
    assert set(hold_out(declared, ["nli"], known)) == {"nli"}


def test_a_held_out_dataset_knows_what_the_paper_would_hold_out_with_it(flan2021, tasks):
    assert hold_out(flan2021, ["rte"], tasks.values())["rte"].paper == ("nli", "paraphrase")


@pytest.mark.parametrize(
    "ablation",
    [{"clusters": ("sentiment", "summarization")}, {"tasks": ("sst2",)}, {"datasets_per_cluster": 1}],
    ids=str,
)
def test_what_is_trained_on_does_not_change_what_a_held_out_name_means(flan2021, tasks, ablation):
    smaller = flan2021.model_copy(update=ablation)

    for name in ("nli", "rte", "anli/r1"):
        assert hold_out(smaller, [name], tasks.values()) == hold_out(flan2021, [name], tasks.values())
    assert len(hold_out(smaller, ["nli"], tasks.values())["nli"].tasks) == 10


def test_a_held_out_task_takes_the_others_of_its_task_file_along(flan2021, tasks):
    held_out = hold_out(flan2021, ["wsc273/wsc273"], tasks.values())

    assert {name: group.tasks for name, group in held_out.items()} == {
        "wsc273/wsc273": ("wsc273/wsc273",),
        "wsc273": ("wsc273/wsc",),
    }
    assert (held_out["wsc273"].asked, held_out["wsc273"].rule) == (False, "same task file as wsc273/wsc273")


def test_siblings_stay_if_they_are_held_out_themselves_or_nothing_is_related(flan2021, tasks):
    alone = flan2021.model_copy(update={"related": ()})

    assert set(hold_out(alone, ["wsc273/wsc273"], tasks.values())) == {"wsc273/wsc273"}
    assert set(hold_out(flan2021, ["anli/r1", "anli/r2", "anli/r3"], tasks.values())) == {
        "anli/r1",
        "anli/r2",
        "anli/r3",
    }


def test_two_names_in_one_hold_out_are_told_apart(flan2021, tasks):
    with pytest.raises(DeclarationError, match="repeat the option: --holdout nli --holdout sentiment"):
        hold_out(flan2021, ["nli,sentiment"], tasks.values())


def test_a_cluster_without_tasks_is_unknown(flan2021, tasks):
    with pytest.raises(DeclarationError, match="no cluster, dataset or task 'nli'"):
        hold_out(flan2021, ["nli"], [task for task in tasks.values() if task.cluster != "nli"])


def test_an_unknown_cluster_is_named_with_its_nearest(flan2021, tasks):
    with pytest.raises(
        DeclarationError, match=r"no cluster, dataset or task 'sentimant'. Did you mean 'sentiment'\?"
    ):
        hold_out(flan2021, ["sentimant"], tasks.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clusters: [nli, ../x]", r"m.yaml:1: clusters\[1\]: expected letters, digits, '_', '.' and '-'"),
        (
            "size: 1000",
            r"m.yaml:1: size: expected a mapping with keys such as passes, examples, .* \(found 1000\)",
        ),
        ("licenses: {allow: mit}", r"m.yaml:1: licenses.allow: expected a list \(found 'mit'\)"),
        ("shards: many", r"m.yaml:1: shards: expected a whole number \(found 'many'\)"),
        (
            "rate: {scheme: unifrom}",
            r"m.yaml:1: rate.scheme: no scheme 'unifrom' is known here. Did you mean 'uniform'",
        ),
        ("rate: {scheme: temperature}", r"m.yaml:1: rate: scheme 'temperature' needs the key 'temperature'"),
        (
            "style: none\ntemplates_per_example: 2",
            r"m.yaml: style none has one template, so templates_per_example is 1",
        ),
        ("joiner: ' '", r"m.yaml:1: joiner: no key 'joiner' is known here; it is now called 'separator'.$"),
        (
            "licences: {}",
            r"m.yaml:1: licences: no key 'licences' is known here; it is now called 'licenses'.$",
        ),
        (
            "size: {examples: 5, versions: 2}",
            r"m.yaml:1: size.versions: no key 'versions' is known here; it is now called 'templates_per_row'.$",
        ),
        ("versions: 2", r"m.yaml:1: versions: no key 'versions' is known here. Allowed"),
        ("cap: 0", r"m.yaml:1: cap: expected a number greater than 0 \(found 0\)"),
        ("shards: 100000", r"m.yaml:1: shards: expected a number of at most 10000 \(found 100000\)"),
        (
            "size: {passes: 1000000000000000}",
            r"m.yaml:1: size.passes: expected a number of at most 1000000000",
        ),
        ("size: {examples: 1.0e+15}", r"m.yaml:1: size.examples: expected a number of at most 1000000000"),
        (f"separator: '{'x' * 1001}'", r"m.yaml:1: separator: expected text of at most 1000 characters"),
        (f"seed: {2**64}", r"m.yaml:1: seed: expected a number less than"),
        ("rate: {scheme: temperature, temperature: .inf}", r"m.yaml:1: rate.temperature:"),
        ("size: {passes: 2, examples: 3}", r"m.yaml:1: size: size is either"),
        ("templates: 3\ntemplates_per_example: 4", r"m.yaml: templates_per_example is at most templates"),
        ("raet: {max: 3}", r"m.yaml:1: raet: no key 'raet' is known here. Did you mean 'rate'\?"),
        ("- a", r"m.yaml: a mixture is a mapping"),
        ("cap: true", r"m.yaml:1: cap: expected a number \(found True\)"),
        ("size: {passes: .nan}", r"m.yaml:1: size.passes: expected a finite number \(found nan\)"),
        ("related: [[nli]]", r"m.yaml:1: related\[0\]: item 2 of the list is missing"),
        ("cap: 5\nseed: 2020-99-99", r"m.yaml:2: a value cannot be read as YAML: month must be in 1..12"),
    ],
)
def test_a_faulty_mixture_is_refused_with_its_position(tmp_path, text, sentence):
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DeclarationError, match=sentence):
        load_mixture(path)


@pytest.mark.parametrize("name", ["a\n.yaml", "a b.yaml", "smoke-without-nli.yaml"])
def test_a_mixture_whose_name_does_not_fit_its_folder_is_refused(name, tmp_path):
    (tmp_path / name).write_text("seed: 1\n")

    with pytest.raises(DeclarationError, match="a mixture is named after its file") as caught:
        load_mixture(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_mixture_that_is_a_folder_or_a_pipe_is_told_so(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    os.mkfifo(tmp_path / "b.yaml")

    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(DeclarationError, match=f"{name}: not a file"):
            load_mixture(tmp_path / name)


def test_a_missing_mixture_names_the_nearest(flan2021):
    with pytest.raises(DeclarationError, match=r"no such mixture. Did you mean 'flan2021'\?"):
        load_mixture(flan2021.path.with_name("flan2012.yaml"))


def test_a_task_that_no_file_declares_is_named(flan2021, tasks):
    with pytest.raises(
        DeclarationError, match=r"tasks\[0\]: no task or dataset 'rtte'. Did you mean 'rte'\?"
    ):
        flan2021.model_copy(update={"tasks": ("rtte",)}).members(tasks.values())


def test_a_dataset_or_a_task_leaves_alone(flan2021, tasks):
    # FLAN's intra-cluster splits hold out one dataset of a cluster and train on the others.
    assert hold_out(flan2021, ["anli"], tasks.values())["anli"].tasks == ("anli/r1", "anli/r2", "anli/r3")
    assert hold_out(flan2021, ["anli/r1"], tasks.values())["anli/r1"].tasks == ("anli/r1",)
    assert set(hold_out(flan2021, ["anli"], tasks.values())) == {"anli"}


@pytest.mark.parametrize("count", [1, 4])
def test_a_number_of_datasets_per_cluster_is_kept_and_a_larger_number_is_a_superset(flan2021, tasks, count):
    # Paper, section 4.1: one or four datasets a cluster.
    def kept(n):
        names = flan2021.model_copy(update={"datasets_per_cluster": n}).members(tasks.values())
        return {(tasks[name].cluster, tasks[name].dataset) for name in names}

    per_cluster = Counter(cluster for cluster, _ in kept(count))
    assert set(per_cluster.values()) <= set(range(1, count + 1))
    assert kept(count) <= kept(count + 1)
