"""A published mixture has the metadata that the hub and others read, and verify finds what was changed in it."""

import json
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
from flanbuild.errors import DeclarationError
from flanbuild.export.licenses import hub_ids, license_urls
from flanbuild.export.provenance import STATEMENT
from flanbuild.export.record import EXPORT
from flanbuild.export.references import arxiv_tags, dataset_pages
from flanbuild.export.verification import verify_export
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export
from flanbuild.read import load

DATE = "2026-11-26"


@pytest.fixture
def mixture(build, tasks):
    """A mixture of the sample with entailment held out."""
    names = ("rte", "sst2", "squad/v2", "wmt16_ende", "copa")
    made = build(tasks={name: tasks[name] for name in names}, mixture={"tasks": names, "shards": 2})
    return made.mix(["nli"]).folder


@pytest.fixture
def published(mixture, tmp_path):
    export(ExportRequest(mixture=mixture, date=DATE), "hub", tmp_path / "published")
    return tmp_path / "published"


def card_keys(folder: Path) -> dict:
    return YAML(typ="safe").load((folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_card_says_what_the_hub_searches_by(published):
    keys = card_keys(published)
    assert keys["language"] == ["de", "en"]
    assert keys["task_categories"] == [
        "multiple-choice",
        "question-answering",
        "text-classification",
        "text-generation",
        "translation",
    ]
    assert keys["size_categories"] == ["1K<n<10K"]
    assert keys["pretty_name"] == "flan2021, nli held out"
    assert set(keys["license"]) <= {"unknown", "other", "cc-by-sa-4.0"}


def test_the_card_names_the_page_of_each_dataset_and_tags_papers(published, tasks):
    text = (published / "README.md").read_text(encoding="utf-8")
    given = ("copa", "squad/v2", "sst2", "wmt16_ende")
    for task in map(tasks.get, given):
        assert f"- {task.dataset}: <{task.source.homepage}>\n" in text
    assert "arxiv:2109.01652" in card_keys(published)["tags"]


def test_a_page_that_is_a_paper_on_arxiv_is_a_tag_of_the_hub():
    pages = ["https://arxiv.org/abs/1910.14599", "https://example.org/abs/1910.14599"]
    assert arxiv_tags(pages) == ["arxiv:1910.14599", "arxiv:2109.01652"]


def test_of_a_task_that_is_declared_otherwise_here_no_page_is_known(mixture):
    manifest = read_record(mixture / MANIFEST, Manifest)
    sst2 = manifest.tasks["sst2"].model_copy(update={"declaration": "0" * 64})
    changed = manifest.model_copy(update={"tasks": manifest.tasks | {"sst2": sst2}})
    assert dataset_pages(manifest).keys() - dataset_pages(changed).keys() == {"sst2"}


def test_the_card_has_the_rows_of_each_split(published, mixture):
    rows = {split["name"]: split["num_examples"] for split in card_keys(published)["dataset_info"]["splits"]}
    assert rows == {split: len(load(mixture, split)) for split in ("train", "validation")}


def test_the_rows_are_those_of_the_mixture(published, mixture):
    for split in ("train", "validation"):
        assert pq.read_table(published / split).to_pylist() == list(load(mixture, split))


@pytest.mark.needs("hub")
def test_datasets_reads_the_splits_that_the_card_names(published, mixture, tmp_path):
    from datasets import load_dataset

    dataset = load_dataset(str(published), cache_dir=str(tmp_path / "cache"))
    assert {name: rows.num_rows for name, rows in dataset.items()} == {
        split: len(load(mixture, split)) for split in ("train", "validation")
    }


def test_croissant_names_every_file_with_its_digest_and_every_source(published, mixture):
    metadata = read_json(published / "croissant.json")
    record = read_json(published / EXPORT)
    files = {
        file["@id"]: file["sha256"] for file in metadata["distribution"] if file["@type"] == "cr:FileObject"
    }
    assert files == {name: digest for name, digest in record["files"].items() if name.endswith(".parquet")}
    sources = {source["@id"] for source in metadata["prov:wasDerivedFrom"]}
    assert "urn:flanbuild:sample:nyu-mll/glue" in sources


def test_croissant_has_no_fault_and_no_warning(published):
    if find_spec("mlcroissant") is None:
        pytest.skip("mlcroissant is not installed")
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=published / "croissant.json")
    assert dataset.metadata.issues.report() == ""


def test_the_statement_names_files_and_the_sources_of_tasks_that_give_examples(published, mixture):
    statement = read_json(published / STATEMENT)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert {subject["name"] for subject in statement["subject"]} == {
        *(path.relative_to(published).as_posix() for path in published.rglob("*.parquet")),
        *("README.md", "croissant.json", MANIFEST),
    }
    manifest = read_record(mixture / MANIFEST, Manifest)
    sources = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {source["name"]: source["digest"]["sha256"] for source in sources} == {
        name: task.source.digest for name, task in manifest.tasks.items() if task.given
    }


def test_the_same_mixture_and_date_have_the_same_bytes(published, mixture, tmp_path):
    export(ExportRequest(mixture=mixture, date=DATE, jobs=2), "hub", tmp_path / "again")
    for path in published.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(published)).read_bytes() == path.read_bytes()


def test_a_published_folder_is_right_also_with_what_a_hub_adds(published):
    (published / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (published / ".cache/huggingface").mkdir(parents=True)
    (published / ".cache/huggingface/CACHEDIR.TAG").write_text("")
    assert verify_export(published) == []


def test_a_flipped_byte_is_one_sentence(published):
    path = published / "train/00000-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert verify_export(published) == [f"{path}: its bytes are not those that export.json names."]


def test_a_changed_license_is_one_sentence(published):
    path = published / "README.md"
    path.write_text(path.read_text().replace("- unknown\n", "- mit\n", 1))
    assert verify_export(published) == [f"{path}: its bytes are not those that export.json names."]


def test_a_file_that_is_missing_and_one_that_is_foreign_are_named(published):
    (published / "croissant.json").rename(published / "foreign.json")
    assert verify_export(published) == [
        f"{published / 'croissant.json'}: missing.",
        f"{published / 'foreign.json'}: not named by export.json.",
    ]


def test_a_statement_of_other_sources_is_found_although_the_record_names_it(published):
    from flanbuild.artifacts.files import sha256_of, write_json
    from flanbuild.artifacts.records import write_record
    from flanbuild.export.record import ExportRecord

    statement = read_json(published / STATEMENT)
    statement["predicate"]["buildDefinition"]["resolvedDependencies"].pop()
    write_json(published / STATEMENT, statement)
    record = read_record(published / EXPORT, ExportRecord)
    digests = record.files | {STATEMENT: sha256_of(published / STATEMENT)}
    write_record(published / EXPORT, record.with_changes(files=digests))
    assert verify_export(published) == [
        f"{published / STATEMENT}: it states other files or sources than the manifest and the folder."
    ]


@pytest.mark.parametrize("date", [None, "today", "2026-1-1"])
def test_the_date_is_given_in_one_form(mixture, date, tmp_path):
    with pytest.raises(DeclarationError, match="expected YYYY-MM-DD"):
        export(ExportRequest(mixture=mixture, date=date), "hub", tmp_path / "out")


def test_licenses_have_the_names_of_the_hub_and_of_spdx():
    stated = ["mit", "cc-by-nc-4.0", "unknown", "other (non-commercial)", "cc-by"]
    assert hub_ids(stated) == ["cc-by-nc-4.0", "mit", "other", "unknown"]
    assert license_urls(stated)[:2] == [
        "https://spdx.org/licenses/CC-BY-NC-4.0.html",
        "https://spdx.org/licenses/MIT.html",
    ]
