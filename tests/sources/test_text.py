"""The strict reader of text: each fault with its file, line, column and value, and no value that changes silently."""

import gzip
import json
import random
import zipfile

import pyarrow as pa
import pytest

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.task import CsvDialect
from flanbuild.errors import SourceError
from flanbuild.sources import text
from flanbuild.sources.formats import tables_of
from flanbuild.sources.patterns import split_member
from flanbuild.sources.text import Declared

TYPES = {
    "text": pa.string(),
    "n": pa.int64(),
    "small": pa.int8(),
    "f": pa.float32(),
    "b": pa.bool_(),
    "ch": pa.list_(pa.string()),
    "label": pa.int64(),
    "inner": pa.struct([("n", pa.int64()), ("tags", pa.list_(pa.string()))]),
}
LABELS = {"label": ("no", "yes")}


@pytest.fixture
def read(tmp_path):
    """Writes a file of some bytes and returns its rows in the columns that are named."""

    def rows(body, columns, name="rows.csv", csv=None, rename=None):
        data = body.encode() if isinstance(body, str) else body
        (tmp_path / split_member(name)[0]).write_bytes(data)
        schema = pa.schema([(column, TYPES[column]) for column in columns.split()])
        declared = Declared(schema, LABELS, rename or {}, CsvDialect(**csv or {}))
        tables = tables_of(name, lambda path: (tmp_path / path).open("rb"), declared)
        return [row for table in tables for row in table.to_pylist()]

    return rows


def cells(rows, column="text"):
    return [row[column] for row in rows]


# --- quotation marks -------------------------------------------------------------------------------------------------


def test_a_quotation_mark_in_tsv_is_text_and_no_row_is_lost(read):
    body = 'text\tlabel\nrow 1\t1\n"opened\t1\nrow 2\t0\n"again\t0\n'

    rows = read(body, "text label", "rows.tsv")

    assert rows == [
        {"text": "row 1", "label": 1},
        {"text": '"opened', "label": 1},
        {"text": "row 2", "label": 0},
        {"text": '"again', "label": 0},
    ]


def test_tsv_has_quoting_where_the_task_file_declares_it(read):
    body = 'text\tlabel\n"a\tb ""c"""\t1\n'

    assert read(body, "text label", "rows.tsv", {"quote": '"'}) == [{"text": 'a\tb "c"', "label": 1}]


def test_quoted_cells_of_a_file_without_quoting_are_mentioned(read, caplog):
    caplog.set_level("INFO", "flanbuild")

    assert cells(read('text\n"a ""b"""\n', "text", "rows.tsv")) == ['"a ""b"""']

    assert "1 cells begin and end with a quotation mark" in caplog.text


def test_a_space_before_a_quotation_mark_is_mentioned(read, caplog):
    caplog.set_level("INFO", "flanbuild")

    assert cells(read('n,text\n1, "a"\n', "text n")) == [' "a"']

    assert "1 cells have a space before their quotation marks" in caplog.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            'text,n\na,1\n"b,0\nc,1\n',
            r'rows.csv:3: a quotation mark \("\) that opens in this row is never closed',
        ),
        ('text,n\na,1\nb,"0\n', r"rows.csv:3: a quotation mark"),
        (
            'text,n\n"a,1\nb"c,2\n',
            r"rows.csv:2: text follows a closing quotation mark .* which runs to line 3",
        ),
        ('text,n\n"a" ,1\n', r"rows.csv:2: text follows a closing quotation mark"),
    ],
)
def test_a_quotation_mark_that_swallows_rows_is_a_fault_with_its_line(body, message, read):
    with pytest.raises(SourceError, match=message):
        read(body, "text n")


def test_a_cell_may_hold_doubled_marks_delimiters_and_newlines(read):
    assert read('text,n\r\n"a, ""b""\r\nc",1\r\n', "text n") == [{"text": 'a, "b"\r\nc', "n": 1}]


def test_another_quotation_mark_or_delimiter_is_never_read_as_text(read):
    for row in ("'a';1", "'a;b';1"):
        rows = read(f"text;n\n{row}\n", "text n", csv={"delimiter": ";", "quote": "'"})
        assert rows == [{"text": row[1:-3], "n": 1}]
    assert read("text§n\n«a«§1\n", "text n", csv={"delimiter": "§", "quote": "«"}) == [{"text": "a", "n": 1}]
    assert read('text,n\n"a",1\n', "text n", csv={"quote": "'"}) == [{"text": '"a"', "n": 1}]


def test_delimiter_quote_and_header_are_as_declared(read):
    assert read("text;n\n'a;b';1\n", "text n", csv={"delimiter": ";", "quote": "'"}) == [
        {"text": "a;b", "n": 1}
    ]
    assert read('"a,1\n', "text n", csv={"quote": "", "header": False}) == [{"text": '"a', "n": 1}]
    assert read("1|a\n", "text n", csv={"delimiter": "|", "header": ("n", "text")}) == [{"text": "a", "n": 1}]


# --- rows and headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize("row", ["a", "a,1,2", "two, with comma,0"])
def test_a_row_with_another_number_of_cells_is_a_fault_with_its_line(row, kind, read):
    body = f"text,n\nfirst,1\n{row}\n"

    with pytest.raises(SourceError, match=rf"rows.{kind}:3: \d cells, but the header has 2"):
        read(body.replace(",", "\t" if kind == "tsv" else ","), "text n", f"rows.{kind}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "rows.csv: the file is empty; expected a header with text, n"),
        ("\n\n", "rows.csv: the file is empty"),
        (
            "text;n\na;1\n",
            r'no column .text.. The header is one cell; `csv: {delimiter: ";"}` under `source`',
        ),
        (
            "text\tn\na\t1\n",
            r'no column .text.. The header is one cell; `csv: {delimiter: "\\t"}` under `source`',
        ),
        ("text,text,n\na,b,1\n", "the header has 2 columns 'text'"),
        ("texts,n\n", "no column 'text'. Did you mean 'texts'?"),
        ("text\nn\n", "no column 'n'"),
    ],
)
def test_a_header_that_lacks_a_column_or_has_it_twice_is_a_fault_also_without_rows(body, message, read):
    with pytest.raises(SourceError, match=message):
        read(body, "text n")


def test_an_unnamed_index_column_and_unused_columns_of_one_name_do_no_harm(read):
    assert read(",text,x,x,n\n0,a,,,1\n", "text n") == [{"text": "a", "n": 1}]


def test_crlf_and_a_byte_order_mark_are_not_part_of_the_text(read):
    for kind, mark in (("csv", ","), ("tsv", "\t")):
        body = f"text{mark}n\r\na{mark}1\r\n".encode("utf-8-sig")
        assert read(body, "text n", f"rows.{kind}") == [{"text": "a", "n": 1}]


@pytest.mark.parametrize("block", range(8, 40))
def test_a_byte_order_mark_within_a_file_is_text_wherever_a_block_ends(block, read, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", block)

    rows = read("text,label\nfirst row,1\n\ufeffsecond,0\n\ufeffthird,1\n", "text label")

    assert cells(rows) == ["first row", "\ufeffsecond", "\ufeffthird"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_empty_lines_are_no_rows_wherever_they_are(name, read):
    assert cells(read("\n\ntext\n\na\n\n\nb\n\n", "text", name)) == ["a", "b"]
    assert cells(read("\r\ntext\r\n\r\na\r\n", "text", name)) == ["a"]
    assert cells(read("\ufeffa\n\nb\n", "text", name, csv={"header": False})) == ["a", "b"]
    assert cells(read('text\n""\nb\n', "text", "rows.csv")) == ["", "b"]


def test_a_cell_may_have_any_length(read):
    body = f'text,label\n{"x" * 140_000},0\n"{"y" * 5_000_000}",1\n'

    assert [len(cell) for cell in cells(read(body, "text label"))] == [140_000, 5_000_000]


def test_a_column_is_renamed_only_where_the_name_is_there_and_the_other_is_free(read):
    assert read("Text,n\na,1\n", "text n", rename={"Text": "text"}) == [{"text": "a", "n": 1}]
    with pytest.raises(
        SourceError, match=r"source.rename: 'Text' cannot become 'text', since the file has a column"
    ):
        read("Text,text,n\na,b,1\n", "text n", rename={"Text": "text"})
    with pytest.raises(SourceError, match=r"source.rename: no column 'Txt'. Did you mean 'Text'\?"):
        read("Text,text,n\na,b,1\n", "text n", rename={"Txt": "text"})
    with pytest.raises(SourceError, match="'Text' cannot become 'text'"):
        read('{"Text": "a", "text": "b"}\n', "text", "rows.jsonl", rename={"Text": "text"})
    swapped = {"text": "ch2", "other": "text"}
    assert cells(read("text,other\na,b\n", "text", rename=swapped)) == ["b"]


# --- values ----------------------------------------------------------------------------------------------------------

JSON_FAULTS = [
    ("n", 3.7, "expected int64, found 3.7"),
    ("n", True, "expected int64, found true"),
    ("n", 2**63, "which is not between"),
    ("n", 99999999999999999999999, "which is not between"),
    ("n", "1_000", 'expected int64, found "1_000"'),
    ("n", "٣", 'expected int64, found "٣"'),
    ("n", [1], r"expected int64, found \[1\]"),
    ("small", 128, "expected int8, found 128, which is not between -128 and 127"),
    ("f", 1e300, "too large"),
    ("f", 10**400, "too large"),
    ("f", "1_0.5", "expected float"),
    ("f", False, "expected float"),
    ("f", 1e-60, "too small"),
    ("f", "1e-400", "too small"),
    ("f", "16777216000000001", "expected float"),
    ("b", 1, "expected bool, found 1"),
    ("text", 5, "expected string, found 5"),
    ("text", {"a": 1}, "expected string"),
    ("ch", "Paris", 'expected a list of string, found "Paris"'),
    ("ch", {"a": "b"}, "expected a list of string"),
    ("ch", ["a", 1], r"expected string, found 1"),
    ("inner", [1], "expected an object with n, tags"),
    ("inner", {"n": 1.5, "tags": []}, "expected int64, found 1.5"),
    ("inner", {"n": 1, "tags": "ab"}, "expected a list of string"),
    ("label", 0.9, "expected a class, found 0.9"),
    ("label", "maybe", "no class 'maybe'"),
    ("text", "\ud800", "a lone surrogate"),
]


@pytest.mark.parametrize(("column", "value", "message"), JSON_FAULTS)
def test_a_value_that_would_change_is_a_fault_with_its_line(column, value, message, read):
    good = {"n": 1, "small": 1, "f": 1, "b": True, "text": "a", "ch": [], "inner": {}, "label": 0}[column]
    body = "".join(json.dumps({column: item}) + "\n" for item in [good, None, value, good])

    with pytest.raises(SourceError, match=rf"rows.jsonl:3: column {column}.*: .*{message}"):
        read(body, column, "rows.jsonl")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("n", "1_000", "expected int64"),
        ("n", "3.7", "expected int64"),
        ("n", "٣", "expected int64"),
        ("n", "1e3", "expected int64"),
        ("f", "1e300", "too large"),
        ("f", "0x1p3", "expected float"),
        ("b", "maybe", "expected bool"),
        ("ch", "\"['x', 'y']\"", "expected a list of string"),
        ("label", "0.9", "no class '0.9'"),
        ("label", "2", "found class 2, expected 0 to 1"),
    ],
)
@pytest.mark.parametrize("mark", ["", '"'])
def test_a_cell_that_is_not_of_its_type_is_a_fault_with_its_line(column, cell, message, mark, read):
    body = f"text,{column}\n{mark}a{mark},\nb,{cell}\n"

    with pytest.raises(SourceError, match=rf"rows.csv:3: column {column}: .*{message}"):
        read(body, f"text {column}")


def test_numbers_as_text_are_numbers_at_any_depth_and_empty_cells_are_null(read):
    rows = [{"n": "3", "f": " 2.5e-1 ", "b": "True", "inner": {"n": "4", "tags": None}, "label": "1"}]
    rows.append({"n": "", "f": "", "b": "", "inner": {"n": ""}, "label": ""})
    body = "".join(json.dumps(row) + "\n" for row in rows)

    assert read(body, "n f b inner label", "rows.jsonl") == [
        {"n": 3, "f": 0.25, "b": True, "inner": {"n": 4, "tags": None}, "label": 1},
        {"n": None, "f": None, "b": None, "inner": {"n": None, "tags": None}, "label": None},
    ]


def test_whole_floats_are_integers_and_labels_are_words_booleans_and_floats(read):
    body = "".join(
        f'{{"n": 3.0, "label": {label}}}\n' for label in ('"yes"', "true", "1.0", '"1.0"', "-1", "null")
    )

    rows = read(body, "n label", "rows.jsonl")

    assert cells(rows, "label") == [1, 1, 1, 1, -1, None]
    assert cells(rows, "n") == [3] * 6


def test_labels_that_count_from_one_are_a_fault_that_asks(read):
    body = "text,label\n" + "".join(f"t{i},{label}\n" for i, label in enumerate([1, 2, 1, 7, -5]))

    with pytest.raises(
        SourceError,
        match=r"rows.csv:3: column label: found class -5, 2, 7, expected 0 to 1 \(no, yes\), or null or -1 "
        r"where unlabelled; do the labels count from 1\?$",
    ):
        read(body, "text label")


@pytest.mark.parametrize(
    ("names", "rows", "ids"),
    [
        (("1", "2"), ['"1"', '"2.0"'], [0, 1]),
        (("-1", "0", "1"), ['"-1"', '"0"', '"1"', '" -1.0 "', "null"], [0, 1, 2, 0, None]),
        (("0", "1"), ['"0"', "1", '"1.0"'], [0, 1, 1]),
    ],
)
def test_text_that_spells_a_number_is_the_class_of_that_name(names, rows, ids, tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"label": {row}}}\n' for row in rows))
    declared = Declared(pa.schema([("label", pa.int64())]), {"label": names})

    tables = tables_of("rows.jsonl", lambda path: (tmp_path / path).open("rb"), declared)

    assert [label for table in tables for label in table.column("label").to_pylist()] == ids


@pytest.mark.parametrize(
    ("names", "row", "message"),
    [
        (("1", "2"), '"0"', r"no class '0'. Allowed: 1, 2."),
        (("-1", "0", "1"), "-1", r"the number -1 means unlabelled, but a class is called '-1'"),
        (("-1", "0", "1"), "-1.0", r"the number -1 means unlabelled, but a class is called '-1'"),
    ],
)
def test_a_number_that_may_be_a_class_or_an_id_is_a_fault(names, row, message, tmp_path):
    (tmp_path / "rows.jsonl").write_text(f'{{"label": {row}}}\n')
    declared = Declared(pa.schema([("label", pa.int64())]), {"label": names})

    with pytest.raises(SourceError, match=rf"rows.jsonl:1: column label: {message}"):
        list(tables_of("rows.jsonl", lambda path: (tmp_path / path).open("rb"), declared))


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        (
            "rows.json",
            '{"data": [{"text": "a"}]}',
            r"expected a list of objects, found an object whose 'data' is \[",
        ),
        ("rows.json", '"text"', 'expected a list of objects, found "text"'),
        ("rows.json", '[{"text": "a"}, 5]', r"rows.json: item 1: expected an object with text, found 5"),
        ("rows.json", '[{"text": "a"},\n{"text" "b"}]', "rows.json:2: not JSON"),
        ("rows.jsonl", '{"text": "a"}\n[{"text": "b"}]\n', "rows.jsonl:2: expected an object"),
        ("rows.jsonl", '{"text": "a"}\nnull\n', "rows.jsonl:2: expected an object with text, found null"),
        (
            "rows.jsonl",
            '{"text": "a"}\n{"text": "b", "text": "c"}\n',
            "rows.jsonl:2: an object has the key 'text' twice",
        ),
        ("rows.jsonl", '{"text": ' + "[" * 100_000, "rows.jsonl:1: the JSON is nested too deeply"),
        ("rows.jsonl", '{"n": ' + "9" * 5000 + "}", "rows.jsonl:1: "),
        ("rows.jsonl", '{"texts": "a"}\n', "no column 'text'. Did you mean 'texts'?"),
        ("rows.jsonl", b'{"text": "a"}\n{"text": "\xe9"}\n', "rows.jsonl:2: byte 0xe9 is not UTF-8"),
    ],
)
def test_what_is_no_row_of_json_is_one_sentence_with_its_line(name, body, message, read):
    with pytest.raises(SourceError, match=message) as caught:
        read(body, "text", name)
    assert "\n" not in str(caught.value)


def test_a_fault_far_down_has_its_line(read):
    body = '{"text": "a"}\n' * 25_000 + '{"text": 1}\n'

    with pytest.raises(SourceError, match=r"rows.jsonl:25001: column text: expected string, found 1"):
        read(body, "text", "rows.jsonl")


def test_an_optional_key_is_judged_over_the_whole_file(read):
    body = '{"text": "a"}\n' * 12_000 + '{"text": "b", "n": 5}\n'

    rows = read(body, "text n", "rows.jsonl")

    assert [rows[0]["n"], rows[-1]["n"], len(rows)] == [None, 5, 12_001]


# --- files -----------------------------------------------------------------------------------------------------------


def test_an_exclamation_mark_names_a_member_only_after_zip(read):
    assert cells(read("text\na\n", "text", "wow!.csv")) == ["a"]


def test_extensions_may_have_any_case_and_ndjson_is_json_lines(read):
    assert cells(read("text\na\n", "text", "ROWS.CSV")) == ["a"]
    assert cells(read('{"text": "a"}\n', "text", "rows.ndjson")) == ["a"]
    assert cells(read(gzip.compress(b"text\na\n"), "text", "rows.csv.GZ")) == ["a"]


def test_a_text_file_without_a_column_is_told_how_to_name_it(read):
    with pytest.raises(SourceError, match=r"rows.txt: no reader .* {column: file}"):
        read("a\n", "text", "rows.txt")


def test_a_flipped_byte_in_an_archive_is_one_sentence(read, tmp_path):
    body = bytearray(gzip.compress(b"text,n\n" + b"".join(b"row %d,%d\n" % (i, i) for i in range(3000))))
    for position in range(20, len(body), 97):
        damaged = bytes(body[:position]) + bytes([body[position] ^ 0x10]) + bytes(body[position + 1 :])
        with pytest.raises(SourceError, match=r"rows.csv.gz(:\d+)?: "):
            read(damaged, "text n", "rows.csv.gz")


def test_members_of_archives_are_named_by_path_or_by_file_name(read, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep/rows.csv", "text\na\n")
        archive.writestr("__MACOSX/deep/._rows.csv", "?")
    body = (tmp_path / "a.zip").read_bytes()

    assert cells(read(body, "text", "a.zip!*rows.csv")) == ["a"]
    assert cells(read(body, "text", "a.zip!deep/rows.csv")) == ["a"]
    with pytest.raises(
        SourceError, match=r"a.zip: 0 members match 'row\[0-9\].csv', expected one; the archive has deep"
    ):
        read(body, "text", "a.zip!row[0-9].csv")


def test_a_member_with_a_password_is_one_sentence(read, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("rows.csv", "text\na\n")
    body = (tmp_path / "a.zip").read_bytes()
    locked = bytearray(body)
    locked[6] |= 1
    locked[body.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(SourceError, match=r"a.zip: member 'rows.csv' needs a password"):
        read(bytes(locked), "text", "a.zip!rows.csv")


def lines(tmp_path, **files):
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    declared = Declared(pa.schema([(name, pa.string()) for name in files]))
    tables = tables_of({name: name for name in files}, lambda path: (tmp_path / path).open("rb"), declared)
    return [tuple(row.values()) for table in tables for row in table.to_pylist()]


def test_text_pairs_with_crlf_have_no_carriage_return(tmp_path):
    assert lines(tmp_path, en=b"hello\r\na\rb\r\n", fr=b"bonjour\r\n\n") == [
        ("hello", "bonjour"),
        ("a\rb", ""),
    ]


def test_text_pairs_of_different_length_name_the_shorter_file(tmp_path):
    with pytest.raises(SourceError, match="not line for line the same rows; fr ends after 1 lines"):
        lines(tmp_path, en=b"1\n2\n", fr=b"1\n")


def test_text_pairs_that_are_not_utf8_name_the_line(tmp_path):
    with pytest.raises(SourceError, match="fr:2: byte 0xe9 is not UTF-8"):
        lines(tmp_path, en=b"1\n2\n", fr=b"1\n\xe9t\xe9\n")
    with pytest.raises(SourceError, match="en:2: byte 0xe9 is not UTF-8"):
        lines(tmp_path, en=b"1\n\xe9t\xe9\n", fr=b"1\n2\n")


# --- the two readers of CSV ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(300))
def test_the_fast_reader_and_the_exact_one_agree(seed, tmp_path):
    """Random bytes of an alphabet in which every character means something."""
    chance = random.Random(seed)
    pieces = [
        "a",
        "1",
        ",",
        ",",
        "\n",
        "\n",
        "\t",
        '"',
        "\r",
        "\r\n",
        " ",
        "é",
        "\x00",
        "\x0b",
        "\u2028",
        "-1.0",
    ]
    row = chance.choice([",", "\t"])
    head = chance.choice([f"text{row}n", "n", f"\n\nn{row}text", f"\ufefftext{row}n"])
    declared_columns = [("n", pa.string())] if head == "n" else [("text", pa.string()), ("n", pa.int64())]
    body = f"{head}\n" + "".join(
        f"x{i}{row}{i}\n" if chance.random() < 0.9 else chance.choice(pieces)
        for i in range(chance.randrange(12))
    )
    name = chance.choice(["rows.csv", "rows.tsv"])
    (tmp_path / name).write_bytes(body.encode())
    declared = Declared(pa.schema(declared_columns))

    def outcome(reader):
        try:
            return [
                r for t in reader(name, lambda p: (tmp_path / p).open("rb"), declared) for r in t.to_pylist()
            ]
        except SourceError as error:
            return str(error)

    assert outcome(text.read_rows) == outcome(text._exact_delimited)


def test_a_fault_after_the_first_block_repeats_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 1 << 12)
    rows = [f"row {i},{i}" for i in range(3000)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,n", *rows, '"last, row",7']) + "\n")
    declared = Declared(pa.schema([("text", pa.string()), ("n", pa.int64())]))

    tables = text.read_rows("rows.csv", lambda p: (tmp_path / p).open("rb"), declared)

    assert [r["n"] for t in tables for r in t.to_pylist()] == [*range(3000), 7]


def test_long_rows_make_short_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "CHARACTERS", 1000)
    (tmp_path / "rows.jsonl").write_text('{"text": "%s"}\n' % ("x" * 600) * 5)
    declared = Declared(pa.schema([("text", pa.string())]))

    tables = list(text.read_rows("rows.jsonl", lambda p: (tmp_path / p).open("rb"), declared))

    assert [table.num_rows for table in tables] == [2, 2, 1]


def test_the_sample_in_text_is_the_sample(tasks, tmp_path):
    from flanbuild.sample import sample_table

    task = tasks["squad/v2"]
    table = sample_table(task, "train", rows=50).select(arrow_schema(task).names)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))

    tables = tables_of("a.jsonl", lambda p: (tmp_path / p).open("rb"), Declared(arrow_schema(task)))

    assert pa.concat_tables(tables).to_pylist() == table.to_pylist()
