"""The papers' files hold every table and claim; a damaged one is refused by name."""

from pathlib import Path

import pytest

from compress.claims.paper import load_paper, paper_files
from compress.errors import ClaimError

ROOT = Path(__file__).parents[2]
GOOD = """
[paper]
name = "A paper"

[[table]]
id = "a2024/table-I"
title = "Sizes"
columns = [{ name = "Model", unit = "name" }, { name = "Size", unit = "bytes" }]
rows = [["lenet_5", 1], ["vgg", "-"]]

[[claim]]
id = "a2024/I/small"
paraphrase = "It is small"
quantity = "size"
value = 1
direction = "at most"
audit = "holds"
finding = ""
"""


@pytest.fixture
def damaged(tmp_path):
    def write(text):
        path = tmp_path / "paper.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def refusal(path):
    with pytest.raises(ClaimError) as refused:
        load_paper(path)
    assert str(refused.value).startswith(f"{path}: ")
    return str(refused.value).removeprefix(f"{path}: ")


def test_both_papers_are_found():
    assert [path.parent.name for path in paper_files(ROOT)] == ["ishtiaq2021", "saxena2024"]


@pytest.mark.parametrize(("folder", "tables", "claims"), [("saxena2024", 17, 101), ("ishtiaq2021", 3, 39)])
def test_a_paper_is_whole(folder, tables, claims):
    paper = load_paper(ROOT / "benches" / folder / "paper.toml")
    assert (len(paper.tables), len(paper.claims)) == (tables, claims)
    assert {prefix.split("-")[0] for prefix in paper.prefixes} == {folder}
    assert all(paper.knows(source) for source in [*paper.tables, *paper.claims])
    assert all(table.rows for table in paper.tables.values())


def test_a_table_is_read_as_printed():
    table = load_paper(ROOT / "benches" / "ishtiaq2021" / "paper.toml").table("ishtiaq2021/table-I")
    assert len(table.rows) == 18
    assert table.column("Reduction Factor")[:3] == ("-", 4.43, 8.61)
    assert table.units[table.columns.index("Size")] == "bytes, gzipped by section III"


def test_a_small_file_is_read(damaged):
    paper = load_paper(damaged(GOOD))
    assert paper.table("a2024/table-I").column("Size") == (1, "-")
    assert paper.claims["a2024/I/small"].paraphrase == "It is small"
    assert not paper.knows("a2024/I/large")


def test_an_unknown_table_or_column_is_answered_with_those_there_are(damaged):
    paper = load_paper(damaged(GOOD))
    with pytest.raises(ClaimError, match="A paper: no table 'a2024/table-V'; there are a2024/table-I"):
        paper.table("a2024/table-V")
    with pytest.raises(ClaimError, match="a2024/table-I: no column 'Speed'; there are Model, Size"):
        paper.table("a2024/table-I").column("Speed")


def test_a_missing_file_is_refused(tmp_path):
    assert "no such claims file" in refusal(tmp_path / "paper.toml")


def test_a_folder_in_its_place_is_refused(tmp_path):
    assert "the claims file cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("paper", ["saxena2024", "ishtiaq2021"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_refused(damaged, paper, share):
    content = (ROOT / "benches" / paper / "paper.toml").read_bytes()
    reason = refusal(damaged(content[: int(share * len(content))] + b'\n"'))
    assert reason.startswith(("not valid TOML", "not a claims file"))


def test_text_in_another_encoding_is_refused(damaged):
    assert refusal(damaged(GOOD.replace("small", "pétit").encode("latin-1"))).startswith("not a claims file: 'utf-8'")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('["vgg", "-"]', '["vgg"]', "a2024/table-I, row 2: 1 cells for 2 columns"),
        ('title = "Sizes"', "", "not a claims file: an entry has no 'title'"),
        ('audit = "holds"', "", "not a claims file: an entry has no 'audit'"),
        ("[[claim]]", "[[remark]]", "not a claims file: an entry has no 'claim'"),
        ("[[table]]", "[[figure]]", "not a claims file: an entry has no 'table'"),
        ('name = "A paper"', "", "not a claims file: an entry has no 'name'"),
        ("[[claim]]", "[claim]", "not a claims file: string indices must be integers"),
        ('["vgg", "-"]', "7", "not a claims file: 'int' object is not iterable"),
        ('id = "a2024/I/small"', 'id = "a2024/table-I"', "a2024/table-I: an id is given twice"),
    ],
)
def test_a_malformed_entry_is_refused(damaged, before, after, reason):
    assert before in GOOD
    assert refusal(damaged(GOOD.replace(before, after))).startswith(reason)
