from collections import Counter

import pytest

from flanbuild.declare.mixture import hold_out, load_mixture
from flanbuild.declare.task import CLUSTERS
from flanbuild.errors import DeclarationError

LEAVES = {  # FLAN.md section 4; paper, section 2.2 and FLAN's split code
    "nli": {"paraphrase"},
    "paraphrase": {"nli"},
    "reading_comprehension": {"reading_comprehension_commonsense"},
    "commonsense": {"reading_comprehension_commonsense"},
    "reading_comprehension_commonsense": {"reading_comprehension", "commonsense"},
}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_takes_its_related_ones_with_it(flan2021, tasks, cluster):
    assert set(hold_out(flan2021, [cluster], tasks.values())) == {cluster} | LEAVES.get(cluster, set())


def test_the_relation_is_symmetric(flan2021, tasks):
    for one in CLUSTERS:
        for other in hold_out(flan2021, [one], tasks.values()):
            assert one in hold_out(flan2021, [other], tasks.values())


def test_what_is_held_out_says_by_which_rule(flan2021, tasks):
    held = hold_out(flan2021, ["nli"], tasks.values())

    assert held["nli"].asked
    assert held["nli"].rule == "held out: --holdout nli"
    assert not held["paraphrase"].asked
    assert held["paraphrase"].rule == "related to nli in flan2021.yaml"


def test_an_unknown_cluster_is_named_with_its_nearest(flan2021, tasks):
    with pytest.raises(
        DeclarationError, match=r"no cluster, dataset or task 'sentimant'. Did you mean 'sentiment'\?"
    ):
        hold_out(flan2021, ["sentimant"], tasks.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "clusters: [nli, sentimant]",
            r"m.yaml:1: clusters\[1\]: no 'sentimant' is known here. Did you mean 'sentiment'",
        ),
        ("cap: 0", r"m.yaml:1: cap: Input should be greater than 0 \(found 0\)"),
        ("size: {passes: 2, examples: 3}", r"m.yaml:1: size: size is either"),
        ("templates: 3\ntemplates_per_example: 4", r"m.yaml: templates_per_example is at most templates"),
        ("raet: {max: 3}", r"m.yaml:1: raet: no key 'raet' is known here. Did you mean 'rate'\?"),
        ("- a", r"m.yaml: a mixture is a mapping"),
    ],
)
def test_a_faulty_mixture_is_refused_with_its_place(tmp_path, text, sentence):
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DeclarationError, match=sentence):
        load_mixture(path)


def test_a_missing_mixture_names_the_nearest(flan2021):
    with pytest.raises(DeclarationError, match=r"no such mixture. Did you mean 'flan2021'\?"):
        load_mixture(flan2021.path.with_name("flan2012.yaml"))


def test_a_task_that_no_page_has_is_named(flan2021, tasks):
    with pytest.raises(DeclarationError, match=r"tasks: no task or dataset 'rtte'. Did you mean 'rte'\?"):
        flan2021.model_copy(update={"tasks": ("rtte",)}).members(tasks.values())


def test_a_dataset_or_a_task_leaves_alone(flan2021, tasks):
    # FLAN's intra-cluster splits hold out one dataset of a cluster and train on the others.
    assert hold_out(flan2021, ["anli"], tasks.values())["anli"].tasks == ("anli/r1", "anli/r2", "anli/r3")
    assert hold_out(flan2021, ["anli/r1"], tasks.values())["anli/r1"].tasks == ("anli/r1",)
    assert set(hold_out(flan2021, ["anli"], tasks.values())) == {"anli"}


@pytest.mark.parametrize("count", [1, 4])
def test_so_many_datasets_a_cluster_are_kept_and_more_of_them_are_a_superset(flan2021, tasks, count):
    # Paper, section 4.1: one or four datasets a cluster.
    def kept(n):
        names = flan2021.model_copy(update={"datasets_per_cluster": n}).members(tasks.values())
        return {(tasks[name].cluster, tasks[name].dataset) for name in names}

    per_cluster = Counter(cluster for cluster, _ in kept(count))
    assert set(per_cluster.values()) <= set(range(1, count + 1))
    assert kept(count) <= kept(count + 1)
