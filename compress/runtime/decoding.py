"""Decode prompts with an open session, greedily or by beam search, token by token.

A file of a causal model takes one token, its ``position`` and the ``cache`` of keys and values of all before, and gives
``logits`` and ``new_cache``; a prompt is read the same way. A file without a cache, such as an encoder-decoder's, takes
the whole sequence each time. Greedy and beam search choose as keras-hub's samplers do: in a beam search, a text that
has ended goes on and keeps losing, the search ends when all have ended, and nothing is normalised by length.

What prompts begin with alike is read once, which changes no answer: the same calls give the same values. Its time
counts for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, takewhile
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.decoding import Decoding
from compress.errors import DataError, ModelFileError
from compress.records import fields, records
from compress.runtime.answers import answer_all
from compress.runtime.session import Session

CACHE, NEW_CACHE, TOKEN, POSITION, LOGITS = "cache", "new_cache", "token_ids", "position", "logits"
"""The ends of a file that decodes with a cache."""

NOTHING = -1
"""What stands behind the last token of an answer."""


@dataclass(frozen=True)
class Prompt:
    """Token ids of one sample's prompt, and the whole record that it came from: ``token_ids (length,)``."""

    tokens: NDArray[np.int32]
    length: int
    record: NDArray[Any]


class Reader(Protocol):
    """What reads a text so far and gives the logits of its next token; a state is what it remembers of the text."""

    spared_s: float
    """How long it took to read what did not have to be read again for the last prompt."""

    def begin(self, prompt: Prompt, shared: Collection[int] = ()) -> tuple[Any, NDArray[np.float32]]:
        """Return the state after a prompt, and the logits ``(vocabulary,)`` of the token behind it.

        `shared` are how many of its first tokens prompts to come have in common with it.
        """
        ...

    def go_on(self, state: Any, token: int) -> tuple[Any, NDArray[np.float32]]:
        """Return the state after one more token, which leaves `state` as it was, and the logits behind it."""
        ...


class CachedReader:
    """Reads with a file that takes one token at a time; a state is the next position and the cache so far."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._empty = np.zeros((1, *session.input_shapes[CACHE]), np.float32)
        self._kept: dict[tuple[int, ...], tuple[Any, NDArray[np.float32], float]] = {}
        self.spared_s = 0.0

    def _step(self, token: int, position: int, cache: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32]]:
        found = self._session.answer(_step_of(token, position, cache))
        return (position + 1, found[NEW_CACHE]), found[LOGITS][0]

    def begin(self, prompt: Prompt, shared: Collection[int] = ()) -> tuple[Any, NDArray[np.float32]]:
        """Return the state after all of the prompt's tokens, read one by one where no prompt before began with them."""
        tokens = tuple(prompt.tokens[: prompt.length].tolist())
        self._kept = {start: kept for start, kept in self._kept.items() if start == tokens[: len(start)]}
        known = max(self._kept, key=len, default=())
        state, logits, self.spared_s = self._kept.get(known, ((0, self._empty), self._empty, 0.0))
        began = time.perf_counter() - self.spared_s
        for count, token in enumerate(tokens[len(known) :], len(known) + 1):
            state, logits = self._step(token, *state)
            if count in shared:
                self._kept[tokens[:count]] = state, logits, time.perf_counter() - began
        return state, logits

    def go_on(self, state: Any, token: int) -> tuple[Any, NDArray[np.float32]]:
        """Return the state after one more token."""
        return self._step(token, *state)

    def first(self, prompt: Prompt) -> NDArray[Any]:
        """Return the record of a prompt's first token, as what one call of the file is timed with."""
        return records(_step_of(int(prompt.tokens[0]), 0, self._empty))


class WholeReader:
    """Reads with a file that takes the whole sequence; a state is the record so far and its length."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._prefix = _prefix(session.input_names)
        self.spared_s = 0.0

    def _step(self, record: NDArray[Any], length: int) -> tuple[Any, NDArray[np.float32]]:
        found = fields(self._session.invoke(record), LOGITS)[LOGITS]
        return (record, length), found[0, length - 1]

    def begin(self, prompt: Prompt, shared: Collection[int] = ()) -> tuple[Any, NDArray[np.float32]]:  # noqa: ARG002
        """Return the state after the prompt."""
        return self._step(prompt.record, prompt.length)

    def go_on(self, state: Any, token: int) -> tuple[Any, NDArray[np.float32]]:
        """Return the state after one more token."""
        record, length = state[0].copy(), state[1]
        record[f"{self._prefix}token_ids"][0, length] = token
        record[f"{self._prefix}padding_mask"][0, length] = 1
        return self._step(record, length + 1)

    def first(self, prompt: Prompt) -> NDArray[Any]:
        """Return the record of a prompt, as what one call of the file is timed with."""
        return prompt.record


def reader_of(session: Session) -> CachedReader | WholeReader:
    """Return what reads texts with `session`. Raises `ModelFileError` when the file is none of a language model."""
    if {TOKEN, POSITION, CACHE} == set(session.input_names):
        return CachedReader(session)
    if f"{_prefix(session.input_names)}token_ids" in session.input_names:
        return WholeReader(session)
    raise ModelFileError(
        f"the file takes {', '.join(session.input_names)}; one that answers token by token takes token_ids, position "
        "and cache, or token_ids and padding_mask"
    )


def prompt_of(record: NDArray[Any]) -> Prompt:
    """Return the prompt in ``record (1,)``, whose padding mask says how long it is.

    Raises `DataError` when it has no token, or padding before one.
    """
    prefix = _prefix(record.dtype.names or ())
    try:
        tokens, mask = record[f"{prefix}token_ids"][0], record[f"{prefix}padding_mask"][0]
    except (ValueError, IndexError, KeyError):
        raise DataError(f"prompts are records of token_ids and padding_mask, got {record.dtype}") from None
    length = int(mask.sum())
    if not length or not mask[:length].all():
        raise DataError(f"a prompt begins at the first of its {len(mask)} places and is padded behind; got mask {mask}")
    return Prompt(tokens, length, record)


def sample_for(session: Session, x1: NDArray[Any]) -> NDArray[Any]:
    """Return what one call of `session` is timed with: sample `x1`, or the first step of the prompt that it holds."""
    return reader_of(session).first(prompt_of(x1)) if CACHE in session.input_names else x1


def decode(session: Session, prompts: NDArray[Any], decoding: Decoding) -> tuple[NDArray[np.int32], float]:
    """Return the answers to ``prompts (n,)``, ``(n, most_new)`` padded with -1, and the mean seconds of one.

    The end token is not part of an answer. Raises `DataError` for a malformed prompt, `ModelFileError` for a file that
    cannot be decoded with.
    """
    reader = reader_of(session)
    found = np.full((len(prompts), decoding.most_new), NOTHING, np.int32)
    given, spent_s = [prompt_of(record[None]) for record in prompts], 0.0
    for index, shared in _in_order(given):
        started, prompt = time.perf_counter(), given[index]
        most = min(decoding.most_new, len(prompt.tokens) - prompt.length)
        begun = reader.begin(prompt, shared)
        answer = (
            _greedy(reader, begun, decoding.end, most)
            if decoding.beams == 1
            else _beam(reader, begun, decoding.end, most, decoding.beams)
        )
        found[index, : len(answer)] = answer
        spent_s += time.perf_counter() - started + reader.spared_s
    return found, spent_s / len(prompts)


def decode_all(
    session: Session,
    prompts: NDArray[Any],
    decoding: Decoding,
    open_another: Callable[[], Session],
    *,
    known: NDArray[np.int32],
    answer_s: float,
) -> NDArray[np.int32]:
    """Return the answers of `decode`, of which those to the first prompts are `known`.

    Where the others take long, of which one takes ``answer_s``, sessions on all cores answer a share each. Prompts that
    begin alike stay in one share.
    """
    left = prompts[len(known) :]
    if not len(left):
        return known
    texts = [one.tokens[: one.length].tolist() for one in map(prompt_of, left[:, None])]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    found = np.empty((len(left), decoding.most_new), np.int32)
    found[order] = answer_all(
        session,
        left[order],
        open_another,
        inference_s=answer_s,
        answer=lambda one, share: decode(one, share, decoding)[0],
    )
    return np.concatenate([known, found])


def _in_order(prompts: Sequence[Prompt]) -> list[tuple[int, frozenset[int]]]:
    """Return the order to read prompts in, those that begin alike after each other.

    Beside each one's number stand the counts of its first tokens that prompts to come have in common with it.
    """
    texts = [prompt.tokens[: prompt.length].tolist() for prompt in prompts]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    alike = [_alike(texts[one], texts[other]) for one, other in pairwise(order)]
    return [(index, frozenset(accumulate(alike[place:], min))) for place, index in enumerate(order)]


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _step_of(token: int, position: int, cache: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    return {TOKEN: np.array([[token]], np.int32), POSITION: np.array([[position]], np.int32), CACHE: cache}


def _prefix(names: Any) -> str:
    return "decoder_" if "decoder_token_ids" in names else ""


def _greedy(reader: Reader, begun: tuple[Any, NDArray[np.float32]], end: int, most: int) -> list[int]:
    state, logits = begun
    answer: list[int] = []
    while len(answer) < most:
        token = int(logits.argmax())
        if token == end:
            break
        answer.append(token)
        if len(answer) < most:
            state, logits = reader.go_on(state, token)
    return answer


def _beam(reader: Reader, begun: tuple[Any, NDArray[np.float32]], end: int, most: int, beams: int) -> list[int]:
    state, logits = begun
    states, every = [state] * beams, np.stack([logits] * beams)
    texts: list[list[int]] = [[] for _ in range(beams)]
    sums = np.array([0.0] + [-1e9] * (beams - 1), np.float32)  # at first all are one text
    for length in range(1, most + 1):
        candidates = (_log_softmax(every) + sums[:, None]).ravel()
        best = np.argsort(-candidates, kind="stable")[:beams]
        sources, tokens = np.divmod(best, every.shape[1])
        texts = [[*texts[source], int(token)] for source, token in zip(sources, tokens, strict=True)]
        sums = candidates[best]
        if length == most or all(end in text for text in texts):
            break
        steps = [reader.go_on(states[source], int(token)) for source, token in zip(sources, tokens, strict=True)]
        states, every = [state for state, _ in steps], np.stack([logits for _, logits in steps])
    chosen = texts[int(sums.argmax())]
    return chosen[: chosen.index(end)] if end in chosen else chosen


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float32)
