"""`views` of a mixture file names layouts with their options, and changes nothing of the mixture."""

from dataclasses import fields

import pytest

from flanbuild.declare.mixture import load_mixture
from flanbuild.declare.views import VIEW_NAMES, VIEW_OPTIONS, ViewOptions
from flanbuild.errors import DeclarationError
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import VIEWS


def declared(folder, text: str):
    (folder / "mine.yaml").write_text(text)
    return load_mixture(folder / "mine.yaml")


def test_a_layout_stands_alone_or_with_options(tmp_path):
    views = declared(tmp_path, "views: [parquet, {packed: {tokenizer: models/nli, seq_length: 512}}]").views
    assert [(name, options.seq_length) for view in views for name, options in view.items()] == [
        ("parquet", None),
        ("packed", 512),
    ]


def test_a_date_is_text_although_yaml_reads_a_date(tmp_path):
    [view] = declared(tmp_path, "views: [{hub: {date: 2026-11-26}}]").views
    assert view["hub"].date == "2026-11-26"


@pytest.mark.parametrize(
    ("views", "fault"),
    [
        ("[parkett]", "views[0]: no 'parkett' is known here. Did you mean 'parquet'?"),
        ("[{parkett: {}}]", "no 'parkett' is known here. Did you mean 'parquet'?"),
        (
            "[{packed: {seq_len: 3}}]",
            "views[0].packed.seq_len: no key 'seq_len' is known here. Did you mean 'seq_length'?",
        ),
        (
            "[{jsonl: {seq_length: 3}}]",
            "views: 'seq_length' is no option of 'jsonl', whose options are: rename.",
        ),
        ("[jsonl, jsonl]", "views: 'jsonl' comes twice, and both would be written to the same folder."),
        ("[{hub: {date: soon}}]", "views[0].hub.date: expected a match of the pattern"),
        ("[{packed: {seq_length: 0}}]", "views[0].packed.seq_length: expected a number greater than 0"),
    ],
)
def test_a_fault_is_one_sentence_with_its_line(views, fault, tmp_path):
    with pytest.raises(DeclarationError) as raised:
        declared(tmp_path, f"seed: 1\nviews: {views}\n")
    [sentence] = raised.value.faults
    assert sentence.startswith(f"{tmp_path / 'mine.yaml'}:2: ")
    assert fault in sentence


def test_views_are_no_part_of_what_identifies_a_mixture(tmp_path):
    plain = declared(tmp_path, "seed: 1\n").model_dump()
    assert declared(tmp_path, "seed: 1\nviews: [parquet]\n").model_dump() == plain


def test_the_names_and_options_are_those_of_the_exports():
    assert list(VIEW_NAMES) == list(VIEWS)
    assert {name: view.options for name, view in VIEWS.items()} == VIEW_OPTIONS
    assert {field.name for field in fields(ExportRequest)} - {"mixture", "jobs"} == set(
        ViewOptions.model_fields
    )
