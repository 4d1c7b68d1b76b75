"""Decoding, with sessions that are a few lines of numpy: what is chosen can be worked out by trying every text."""

import itertools
import os

import numpy as np
import pytest

from compress.decoding import Decoding
from compress.errors import DataError, ModelFileError
from compress.records import records
from compress.runtime.decoding import CachedReader, decode, decode_all, prompt_of, sample_for

VOCABULARY, LENGTH, END = 5, 9, 0


def logits_of(text: tuple[int, ...]) -> np.ndarray:
    """Return logits of the next token, by a seed that is the text so far: any text's are its own."""
    return np.random.default_rng(list(text)).normal(0, 2, VOCABULARY).astype(np.float32)


class WholeSession:
    """Takes the whole sequence, as a file without a cache does."""

    input_names = ("token_ids", "padding_mask")
    calls = 0

    def invoke(self, x):
        self.calls += 1
        text = x["token_ids"][0][x["padding_mask"][0] == 1]
        found = np.zeros((1, LENGTH, VOCABULARY), np.float32)
        for place in range(len(text)):
            found[0, place] = logits_of(tuple(text[: place + 1].tolist()))
        return found


class CachedSession:
    """Takes one token; its cache is the text so far, each token stored as itself and one more."""

    input_names = ("token_ids", "position", "cache")
    input_shapes = {"token_ids": (1,), "position": (1,), "cache": (LENGTH,)}  # noqa: RUF012 - as a session has it
    calls = 0

    def answer(self, sample):
        self.calls += 1
        cache, position = sample["cache"].copy(), int(sample["position"][0, 0])
        cache[0, position] = sample["token_ids"][0, 0] + 1
        text = tuple(int(value) - 1 for value in cache[0, : position + 1])
        return {"logits": logits_of(text)[None], "new_cache": cache}


def prompts(*texts: tuple[int, ...]) -> np.ndarray:
    token_ids, mask = np.full((len(texts), LENGTH), END, np.int32), np.zeros((len(texts), LENGTH), np.int32)
    for row, text in enumerate(texts):
        token_ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return records({"token_ids": token_ids, "padding_mask": mask})


def log_probability(prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    total, text = 0.0, prompt
    for token in answer:
        logits = logits_of(text).astype(np.float64)
        total += logits[token] - np.log(np.exp(logits).sum())
        text = (*text, token)
    return total


PROMPTS = [(1,), (2, 3), (4, 4, 1), (3, 1, 2, 2)]


@pytest.mark.parametrize("beams", [1, 2, 4])
def test_a_cache_changes_no_answer(beams):
    decoding = Decoding(end=END, most_new=4, beams=beams)

    cached, _ = decode(CachedSession(), prompts(*PROMPTS), decoding)
    whole, _ = decode(WholeSession(), prompts(*PROMPTS), decoding)

    np.testing.assert_array_equal(cached, whole)
    assert (cached >= 0).any()


def test_greedy_takes_the_likeliest_token_each_time_and_ends_before_the_end_token():
    found, _ = decode(CachedSession(), prompts(*PROMPTS), Decoding(end=END, most_new=5))

    for prompt, row in zip(PROMPTS, found, strict=True):
        answer, text = [], prompt
        while len(answer) < 5 and (token := int(logits_of(text).argmax())) != END:
            answer.append(token)
            text = (*text, token)
        assert row.tolist() == answer + [-1] * (5 - len(answer))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_beams_as_many_as_texts_find_the_likeliest_of_all(prompt):
    found, _ = decode(CachedSession(), prompts(prompt), Decoding(end=99, most_new=3, beams=VOCABULARY**2))

    every = itertools.product(range(VOCABULARY), repeat=3)
    assert tuple(found[0].tolist()) == max(every, key=lambda answer: log_probability(prompt, answer))


def test_a_beam_search_finds_what_greedy_misses():
    both = [
        tuple(decode(CachedSession(), prompts(*PROMPTS), Decoding(end=99, most_new=4, beams=beams))[0][row].tolist())
        for row in range(len(PROMPTS))
        for beams in (1, 8)
    ]
    pairs = list(zip(both[::2], both[1::2], strict=True))
    gained = [
        log_probability(prompt, beam) - log_probability(prompt, greedy)
        for prompt, (greedy, beam) in zip(PROMPTS, pairs, strict=True)
    ]

    assert min(gained) >= 0
    assert max(gained) > 0.1


def test_an_answer_stays_within_the_sequence():
    found, _ = decode(CachedSession(), prompts((1, 2, 3, 4, 1, 2, 3)), Decoding(end=99, most_new=6))

    assert (found[0] >= 0).sum() == LENGTH - 7


def test_each_token_of_prompt_and_answer_but_the_last_is_read_once():
    session = CachedSession()

    decode(session, prompts((1, 2, 3)), Decoding(end=99, most_new=4))

    assert session.calls == 3 + 4 - 1


ALIKE = [(3, 1, 2, 2), (1,), (3, 1, 2), (4, 4, 1), (3, 1, 2, 2), (1, 2), (3, 1, 4)]


@pytest.mark.parametrize("beams", [1, 3])
def test_what_prompts_begin_with_alike_is_read_once_and_changes_no_answer(beams):
    decoding, session = Decoding(end=END, most_new=4, beams=beams), CachedSession()

    together, _ = decode(session, prompts(*ALIKE), decoding)
    alone = [(each := CachedSession(), decode(each, prompts(one), decoding)[0][0]) for one in ALIKE]

    np.testing.assert_array_equal(together, [answer for _, answer in alone])
    beginnings = {one[:length] for one in ALIKE for length in range(1, len(one) + 1)}
    assert sum(each.calls for each, _ in alone) - session.calls == sum(map(len, ALIKE)) - len(beginnings)


def test_the_time_of_an_answer_counts_what_was_read_for_another_prompt(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("compress.runtime.decoding.time.perf_counter", lambda: clock[0])

    class Slow(CachedSession):
        def answer(self, sample):
            clock[0] += 1.0
            return super().answer(sample)

    _, seconds = decode(Slow(), prompts(*ALIKE), Decoding(end=99, most_new=3))

    assert seconds == np.mean([len(one) + 3 - 1 for one in ALIKE])


@pytest.mark.parametrize("timed", [0, 2, len(ALIKE)])
@pytest.mark.parametrize("answer_s", [0.0, 10.0])
def test_answers_are_the_same_in_the_same_order_however_many_sessions_give_them(answer_s, timed):
    decoding, opened = Decoding(end=END, most_new=4), []
    first, _ = decode(CachedSession(), prompts(*ALIKE[:timed]), decoding) if timed else (np.empty((0, 4), np.int32), 0)

    def open_another():
        opened.append(CachedSession())
        return opened[-1]

    found = decode_all(CachedSession(), prompts(*ALIKE), decoding, open_another, known=first, answer_s=answer_s)

    np.testing.assert_array_equal(found, decode(CachedSession(), prompts(*ALIKE), decoding)[0])
    left = len(ALIKE) - timed
    others = max(0, min(os.cpu_count() or 1, left) - 1) if answer_s else 0
    assert [one.calls > 0 for one in opened] == [True] * others


def test_no_more_is_remembered_than_prompts_to_come_begin_with():
    reader = CachedReader(CachedSession())
    first, second, third = (prompt_of(one[None]) for one in prompts((1, 2, 3, 4), (1, 2, 4), (3,)))

    reader.begin(first, {2})
    assert list(reader._kept) == [(1, 2)]
    reader.begin(second, ())
    reader.begin(third, ())
    assert not reader._kept


def test_what_one_call_is_timed_with_is_the_first_step_of_a_prompt():
    x1 = prompts((4, 2))

    step = sample_for(CachedSession(), x1)

    assert (step["token_ids"].tolist(), step["position"].tolist()) == ([[4]], [[0]])
    assert not step["cache"].any()
    assert sample_for(WholeSession(), x1) is x1


def test_padding_before_a_token_is_refused():
    given = prompts((1, 2))
    given["padding_mask"][0, 0] = 0
    given["padding_mask"][0, 4] = 1

    with pytest.raises(DataError, match="begins at the first of its 9 places"):
        prompt_of(given)


def test_samples_that_are_no_prompts_are_refused():
    with pytest.raises(DataError, match="prompts are records of token_ids and padding_mask"):
        decode(CachedSession(), np.zeros((2, 4), np.float32), Decoding(end=0, most_new=2))


def test_a_file_of_no_language_model_is_refused():
    session = CachedSession()
    session.input_names = ("input",)

    with pytest.raises(ModelFileError, match="the file takes input; one that answers token by token takes"):
        decode(session, prompts((1,)), Decoding(end=0, most_new=2))


@pytest.mark.parametrize(("field", "value"), [("end", -1), ("most_new", 0), ("beams", 0), ("beams", 1.5)])
def test_a_decoding_checks_its_counts(field, value):
    with pytest.raises(DataError, match=f"{field} must be a whole number"):
        Decoding(**{"end": 0, "most_new": 4, field: value})
