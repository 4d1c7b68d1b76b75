"""Texts that a model wrote, each beside its references, and how they are cut into words.

Words are those of NIST's ``mteval-v13a`` as sacrebleu has it (Post 2018, "A Call for Clarity in Reporting BLEU
Scores"): punctuation stands alone, decimal numbers stay whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from compress.errors import DataError
from compress.measure.extra import published

Words = tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """``hypotheses``, one a sample, and its ``references``, one or more a sample, as many as there happen to be.

    ``tokenised`` says that texts are tokens already, with spaces between them, such as token ids.
    Raises `DataError` when the two differ in length, are empty, or a sample has no reference, or a blank one.
    """

    hypotheses: Sequence[str]
    references: Sequence[Sequence[str]]
    tokenised: bool = False

    def __post_init__(self) -> None:
        if len(self.hypotheses) != len(self.references) or len(self.hypotheses) == 0:
            raise DataError(
                f"{len(self.hypotheses)} texts and references for {len(self.references)} do not belong together"
            )
        for index, (hypothesis, references) in enumerate(zip(self.hypotheses, self.references, strict=True)):
            listed = not isinstance(references, str) and len(references) > 0
            if not isinstance(hypothesis, str) or not listed or not all(each.strip() for each in references):
                raise DataError(
                    f"sample {index}: a text has a list of one or more references that are not blank, got "
                    f"{hypothesis!r:.60} and {references!r:.60}"
                )

    @cached_property
    def words(self) -> list[tuple[Words, tuple[Words, ...]]]:
        """The words of each sample's text, and of each of its references."""
        cut = str.split if self.tokenised else _mteval()
        return [
            (tuple(cut(hypothesis)), tuple(tuple(cut(each)) for each in references))
            for hypothesis, references in zip(self.hypotheses, self.references, strict=True)
        ]

    @cached_property
    def lowercase_words(self) -> list[tuple[Words, tuple[Words, ...]]]:
        """The same in lower case."""
        return Corpus(
            [text.lower() for text in self.hypotheses],
            [[text.lower() for text in references] for references in self.references],
            self.tokenised,
        ).words


def ngrams(words: Words, n: int) -> Counter[Words]:
    """Return how often each run of `n` words occurs."""
    return Counter(words[start : start + n] for start in range(len(words) - n + 1))


def _mteval() -> Callable[[str], list[str]]:
    tokenizer = published("sacrebleu.tokenizers.tokenizer_13a").Tokenizer13a()
    return lambda text: str(tokenizer(text)).split()
