"""Markdown shows every text as it is, and a document that is too long says what was cut."""

import re
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from compress.report.gfm import LONGEST, Part, code, fit, plain, table

NASTY = st.text(st.sampled_from("`|\\*_[]()<>&#!~$@:-+=x1é \n"), min_size=1, max_size=25)


def html(text):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def shown(text):
    """Return what a reader of HTML sees: comments and tags gone, references read, spaces as one."""
    return " ".join(unescape(re.sub(r"<!--.*?-->|<[^>]*>", "", text)).split())


def fields(text):
    return [shown(one) for one in re.findall(r"<td>(.*?)</td>", html(text), re.DOTALL)]


@given(NASTY, NASTY)
@example("prune(0.9) | int8", "a\\|b")
@example("`", "\\")
def test_a_table_shows_any_text_as_it_is_in_its_own_field(first, second):
    made = fit([table("", ("a", "b", "c", "d"), [(plain(first), code(second), code(first), plain(second))])])
    texts = [" ".join(one.split()) for one in (first, second, second, first)]
    assert fields(made) == [texts[0], texts[1], " ".join(first.split()), texts[1]]


@given(NASTY)
@example("~~a~~ **b** _c_ [d](e) <f>")
def test_a_list_shows_any_text_as_it_is(text):
    assert shown(html(f"- x {plain(text)}")) == " ".join(f"x {text}".split())


@given(NASTY)
def test_a_folded_title_shows_any_text_as_it_is(text):
    made = html(Part(("body",), text, folded=True).text(1))
    assert shown(made) == " ".join(f"{text} body".split())
    assert "<p>body</p>" in made


def test_nobody_is_mentioned_and_no_issue_is_linked():
    assert "@onnx" not in plain("float16@onnx")
    assert "#12" not in plain("see #12")
    assert "@onnx" not in Part(("x",), "by @onnx", folded=True).text(1)
    assert code("prune(0.5)@onnx") == "`prune(0.5)@onnx`"  # GitHub mentions nobody from code


def test_what_cannot_be_printed_or_encoded_is_replaced():
    assert plain("a\x00b\ud800c\x1b[31m") == "a\ufffdb\ufffdc\ufffd\\[31m"
    plain("\ud800").encode()


def test_a_very_long_text_is_shortened_and_says_so():
    assert plain("x" * LONGEST) == "x" * LONGEST
    assert plain("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"


def test_numbers_are_flush_right_but_for_the_first_column():
    assert table("", ("a", "b", "c"), [], numbers=True).opening == "| a | b | c |\n| --- | ---: | ---: |"


def test_a_document_that_fits_is_whole():
    parts = [Part(("one", "two")), Part(()), table("title", ("a",), [("1",)], folded=True)]
    made = fit(parts, 5_000)
    assert made == ("one\ntwo\n\n<details><summary>title</summary>\n\n| a |\n| --- |\n| 1 |\n\n</details>\n")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(2_000, 6_000))
def test_whatever_its_length_a_document_keeps_to_the_limit_and_says_what_it_leaves_out(counts, limit):
    parts = [Part(("verdict",))]
    parts += [
        table(f"part {n}", ("a",), [(f"{n}-{row}" + "y" * 30,) for row in range(counts[n])], folded=True)
        for n in range(len(counts))
    ]
    made = fit(parts, limit)
    assert len(made) <= limit
    assert made.count("<details>") == made.count("</details>")
    there = re.findall(r"\d+-\d+y", made)
    every = [f"{n}-{row}y" for n in range(len(counts)) for row in range(counts[n])]
    assert there == every[: len(there)], "cut from the end, and nowhere else"
    if len(there) == len(every):
        assert "Cut to" not in made
    else:
        first = int(every[len(there)].split("-")[0])
        gone = counts[first] - sum(one.startswith(f"{first}-") for one in there)
        assert f"{gone} lines of 'part {first}'" in made
        rest = len(counts) - first - 1
        assert (f"and {rest} more parts" in made) == bool(rest)


def test_nothing_small_is_shown_after_what_was_cut():
    parts = [Part(("verdict",)), Part(("x" * 500, "y" * 900, "z" * 900)), Part(("small",))]
    made = fit(parts, 2_000)
    assert "x" * 500 in made
    assert "small" not in made
    assert "2 lines of 'the head' and 1 more parts" in made


@pytest.mark.parametrize("rows", [1, 500])
def test_the_note_names_a_part_however_its_title_is_written(rows):
    made = fit([Part(("verdict",)), table("<b>@you|" * 40, ("a",), [("y" * 100,)] * rows)], 3_000)
    assert ("Cut to" in made) == (rows > 1)
    assert len(made) <= 3_000
