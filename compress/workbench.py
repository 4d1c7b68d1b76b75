"""The workbench: ask for a subject and a recipe, get a cell - the compressed model, built and measured once a run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from compress.artifact import Artifact, Part
from compress.build import Builder, build_all, find_artifact, find_refusal
from compress.claims.bound import Estimate
from compress.claims.claim import unmeasured
from compress.claims.statistics import Paired, mean_interval, wilson_interval
from compress.errors import CompressError
from compress.measure.classification import Outcomes
from compress.measure.measurement import Measurement, measure_file, measure_run
from compress.measure.metric import METRICS
from compress.measure.picture import Picture
from compress.measure.remembered import RememberedAnswers
from compress.measure.sample_pictures import sample_pictures
from compress.measure.scores import Scores
from compress.recipe import Recipe
from compress.runtime.isolation import run_isolated
from compress.runtime.tflite_weights import read_weights
from compress.store import Store
from compress.subject import Dataset, Subject

BESIDE_OTHERS = ("time", "memory")
"""Natures of metrics that mean nothing while other processes of the same run compete for the machine."""


def cache_folder() -> Path:
    """Return where built artifacts are kept: ``$COMPRESS_CACHE_DIR``, else the user's cache folder."""
    named = os.environ.get("COMPRESS_CACHE_DIR")
    return Path(named) if named else Path(platformdirs.user_cache_dir("compress-bench", appauthor=False))


@dataclass(frozen=True)
class Cell:
    """A subject compressed by a recipe, measured. Ratios and drops are against its float32 file in the same runtime."""

    subject: Subject
    recipe: Recipe
    measurement: Measurement
    workbench: Workbench

    @property
    def name(self) -> str:
        """The cell's stable name, ``mnist_cnn: prune(0.9) | int8``."""
        return f"{self.workbench.prefix}{self.subject.name}: {self.recipe}"

    @property
    def artifact(self) -> Artifact:
        """The file and how it was made."""
        return self.measurement.artifact

    @property
    def parts(self) -> tuple[Part, ...]:
        """What every byte of the file is."""
        return self.measurement.parts

    def value(self, metric: str) -> float:
        """Return a metric's value by name. Raises `CompressError` when it was not measured of this file.

        Raises `Unmeasured` for times and memory in a run whose processes compete for the machine.
        """
        value = self.measurement.values.get(metric)
        if value is None and self.workbench.untimed and metric in METRICS and METRICS[metric].nature in BESIDE_OTHERS:
            unmeasured(self.workbench.untimed)
        if not isinstance(value, int | float):
            raise CompressError(
                f"{self.name}: {metric} was not measured; there are {', '.join(self.measurement.values)}"
            )
        return value

    @property
    def raw_bytes(self) -> int:
        """Size of the file in bytes."""
        return int(self.value("raw_bytes"))

    @property
    def gzip_bytes(self) -> int:
        """Size of the file in bytes after gzip."""
        return int(self.value("gzip_bytes"))

    @property
    def sparsity(self) -> float:
        """Fraction of zeros in the stored weights of two or more dimensions."""
        return self.value("sparsity")

    @property
    def parameters(self) -> int:
        """Number of constant-tensor elements in the file, biases included."""
        return sum(part.elements for part in self.parts if part.kind == "weights")

    def weights(self, part: str) -> NDArray[np.float32]:
        """Return the float values that the part ``conv_2d_3.weights`` of a .tflite file holds: ``(16, 3, 3, 8)``.

        Parts are numbered by their operation, the same for every recipe that leaves the graph as it is (float16 adds a
        DEQUANTIZE for each constant). Batch normalisation is folded into what the file holds. Raises `CompressError`
        for another runtime's file, `ModelFileError` that lists the parts when there is none of that name.
        """
        if self.recipe.runtime != "litert":
            raise CompressError(f"{self.name}: weights are read back from .tflite files only")
        return read_weights(self.artifact.path.read_bytes(), part)

    @cached_property
    def reference(self) -> Cell:
        """The same subject's float32 file in the same runtime."""
        return self.workbench.compressed(self.subject.name, self.recipe.reference())

    @property
    def size_ratio(self) -> float:
        """Raw bytes of the float32 file over raw bytes of this one."""
        return self.reference.raw_bytes / self.raw_bytes

    @property
    def gzip_ratio(self) -> float:
        """Gzipped bytes of the float32 file over gzipped bytes of this one."""
        return self.reference.gzip_bytes / self.gzip_bytes

    @property
    def fps(self) -> float:
        """Inferences a second: the inverse of the median latency, never a measurement of its own."""
        return 1 / self.value("latency_s")

    @property
    def accuracy(self) -> Estimate:
        """Top-1 accuracy in percent, with Wilson's interval (95 % a side)."""
        correct = self._outcomes().correct
        low, high = wilson_interval(int(correct.sum()), len(correct))
        return Estimate(100 * float(correct.mean()), 100 * low, 100 * high, "%", len(correct))

    @property
    def accuracy_drop(self) -> Estimate:
        """Accuracy lost against the float32 file, in percentage points, paired on the same samples."""
        return self.accuracy_drop_from(self.reference)

    def accuracy_drop_from(self, other: Cell) -> Estimate:
        """Return the accuracy lost against `other`, in percentage points, with its interval (95 % a side).

        Raises `CompressError` when the two were not scored on the same samples.
        """
        before, after = other._outcomes(), self._outcomes()
        if before.samples != after.samples:
            raise CompressError(f"{self.name} and {other.name} were not scored on the same samples; nothing to pair")
        paired = Paired.of(before.correct, after.correct)
        low, high = paired.drop_interval()
        relative = 100 * paired.drop / max(before.accuracy, 1e-12)
        note = f"{relative:.2f} % relative; {paired.only_old} lost, {paired.only_new} gained"
        return Estimate(100 * paired.drop, 100 * low, 100 * high, "points", paired.n, note)

    @property
    def score(self) -> Estimate:
        """Mean of the subject's own score or metric, with its t interval (95 % a side), in the score's unit."""
        scores = self._scores()
        low, high = mean_interval(scores.values)
        return Estimate(scores.mean, low, high, scores.unit, len(scores.values))

    @property
    def score_drop(self) -> Estimate:
        """Score lost against the float32 file, paired on the same samples, with its t interval (95 % a side).

        Raises `CompressError` when the two were not scored on the same samples.
        """
        before, after = self.reference._scores(), self._scores()
        if before.samples != after.samples or len(before.values) != len(after.values):
            raise CompressError(f"{self.name} and its reference were not scored on the same samples; nothing to pair")
        lost = before.values - after.values
        low, high = mean_interval(lost)
        return Estimate(float(lost.mean(dtype=np.float64)), low, high, after.unit, len(lost))

    @property
    def quality(self) -> Estimate:
        """What the subject's answers are judged by: its score where it has one, else accuracy in percent."""
        return self.accuracy if self.measurement.scores is None else self.score

    def _outcomes(self) -> Outcomes:
        if self.measurement.outcomes is None:
            self._check_run("accuracy")
            raise CompressError(f"{self.name}: the subject's task is {self.subject.task}; it has no accuracy")
        return self.measurement.outcomes

    def _scores(self) -> Scores:
        if self.measurement.scores is None:
            self._check_run("score")
            raise CompressError(f"{self.name}: the subject has no score of its own")
        return self.measurement.scores

    def _check_run(self, what: str) -> None:
        if not self.measurement.was_run:
            raise CompressError(f"{self.name}: a Keras weight file is kept, not run; it has no {what}")


def side_by_side_pictures(*cells: Cell) -> dict[str, Picture]:
    """Return what files of one subject and runtime make of its first samples: strips for a figure of a bench.

    ``report_figure("horses").add_all(side_by_side_pictures(cell, other))``. The first two are the samples, where those
    are pictures, and the float32 file's. Raises `CompressError` for cells of several subjects or runtimes, or whose
    outputs are no pictures.
    """
    first = cells[0]
    if any(one.reference is not first.reference for one in cells):
        raise CompressError(f"{', '.join(one.name for one in cells)}: pictures of one subject and runtime compare")
    reference = first.reference.measurement.outputs
    outputs = {str(one.recipe): one.measurement.outputs for one in cells if one is not one.reference}
    if reference is None or any(one is None for one in outputs.values()):
        raise CompressError(f"{first.name}: the file was not run, so there are no pictures of what it makes")
    inputs = first.workbench.data(first.subject).evaluation_x
    found = sample_pictures(inputs, reference, {name: one for name, one in outputs.items() if one is not None})
    if not found:
        raise CompressError(f"{first.name}: its outputs are no pictures (n, height, width, 1 or 3): {reference.shape}")
    return found


class Workbench:
    """Builds and measures cells, each once, and remembers them in the order they were asked for.

    `untimed` is a reason why times and memory are not measured, such as other processes of the same run. A `quiet` one
    drops what frameworks print while they build.
    Raises `CompressError` when two subjects have one name.
    """

    def __init__(
        self,
        subjects: Iterable[Subject],
        folder: Path | None = None,
        *,
        scale: str = "embedded",
        untimed: str = "",
        announce: Callable[[str], None] = lambda _: None,
        quiet: bool = False,
        on_measured: Callable[[Cell], None] = lambda _: None,
    ) -> None:
        self.subjects: dict[str, Subject] = {}
        for one in subjects:
            if self.subjects.setdefault(one.name, one) is not one:
                raise CompressError(f"two subjects are called {one.name!r}; rename one of them")
        self.folder = folder or cache_folder()
        self.untimed = untimed
        self.prefix = "" if scale == "embedded" else f"{scale}/"
        self.builder = Builder(Store(self.folder / "artifacts"), announce, quiet=quiet)
        self.answers = RememberedAnswers(self.folder / "answers")
        self.on_measured = on_measured
        self.cells: dict[str, Cell] = {}
        self._failed: dict[str, CompressError] = {}
        self._data: dict[Callable[[], Dataset], Dataset] = {}
        self._inputs: dict[Callable[[], Dataset], Path] = {}

    def subject(self, name: str) -> Subject:
        """Return the subject called `name`. Raises `CompressError` that lists those there are."""
        if name not in self.subjects:
            raise CompressError(f"no subject {name!r}; there are {', '.join(sorted(self.subjects)) or 'none'}")
        return self.subjects[name]

    def compressed(self, subject: str, recipe: str | Recipe) -> Cell:
        """Return the measured cell of a subject and a recipe, built first if it has to be.

        Raises `Unmeasured` when the subject's data is not here, `RecipeError` for a bad recipe, `RuntimeCrash` when
        building or running it killed its process; asked again, the same error at once, as a hang is not worth a second
        deadline.
        """
        spelled = Recipe.parse(recipe) if isinstance(recipe, str) else recipe
        key = f"{subject}: {spelled}"
        if key in self._failed:
            raise self._failed[key]
        if key not in self.cells:
            found = self.subject(subject)
            if found.absent is not None and (reason := found.absent()):
                unmeasured(reason)
            try:
                self.cells[key] = self._measure(found, spelled)
            except CompressError as error:
                self._failed[key] = error
                raise
            self.on_measured(self.cells[key])
        return self.cells[key]

    def is_built(self, subject: str, recipe: Recipe) -> bool:
        """Return whether the file of a subject and a recipe is stored, or why a converter writes none.

        Raises `CompressError` for an unknown subject.
        """
        asked = self.builder.store, self.subject(subject), recipe
        return find_artifact(*asked) is not None or find_refusal(*asked) is not None

    def build(self, cells: Iterable[tuple[str, Recipe]], processes: int) -> None:
        """Build the files of `cells` in so many processes; what fails is left for `compressed` to report."""
        named = ((self.subject(subject), recipe) for subject, recipe in cells)
        build_all(self.builder.store, named, processes, self.builder.announce)

    def adopt(self, cell: Cell) -> None:
        """Take in a cell that another process of this run measured."""
        self.cells.setdefault(f"{cell.subject.name}: {cell.recipe}", cell)

    def data(self, subject: Subject) -> Dataset:
        """Return a subject's data, loaded once a run for all subjects that share it."""
        if subject.data not in self._data:
            self._data[subject.data] = subject.data()
        return self._data[subject.data]

    def evaluation_file(self, subject: Subject) -> Path:
        """Return the evaluation inputs as an ``.npy`` file named by their digest, for the process that runs a model."""
        if subject.data in self._inputs:
            return self._inputs[subject.data]
        inputs = self.data(subject).evaluation_x
        digest = hashlib.sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest()
        path = self.folder / "inputs" / f"{digest}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.save(file, inputs, allow_pickle=False)
            os.replace(part, path)
        self._inputs[subject.data] = path
        return path

    def load_time_s(self, cell: Cell) -> float:
        """Return the time to load the cell's file once more, in a fresh process, in seconds."""
        inputs, artifact, known = self.evaluation_file(cell.subject), cell.artifact, cell.measurement.outputs
        return run_isolated(artifact.path, artifact.runtime, inputs, latency_budget_s=0, known=known).load_time_s

    def close(self) -> None:
        """End the processes that this workbench started."""
        self.builder.close()

    def _measure(self, subject: Subject, recipe: Recipe) -> Cell:
        # the reference comes first, so that a cell's ratios and drops never have to wait for one
        reference = None
        if recipe != recipe.reference():
            reference = self.compressed(subject.name, recipe.reference()).measurement.outputs
        artifact = self.builder.artifact(subject, recipe)
        if recipe.runtime == "keras":
            measured = measure_file(artifact)
        else:
            inputs = self.evaluation_file(subject)
            known = self.answers.find(artifact, inputs.stem, subject.decoding)
            measured = measure_run(
                artifact,
                inputs,
                self.data(subject).evaluation_y,
                reference,
                score_of=subject.score,
                task=subject.task,
                decoding=subject.decoding,
                known=known,
            )
            if known is None and measured.outputs is not None:
                self.answers.add(artifact, inputs.stem, subject.decoding, measured.outputs)
        if self.untimed:
            kept = {name: value for name, value in measured.values.items() if METRICS[name].nature not in BESIDE_OTHERS}
            measured = replace(measured, values=kept)
        if reference is not None and measured.outputs is not None:
            shown = sample_pictures(self.data(subject).evaluation_x, reference, {str(recipe): measured.outputs})
            measured = replace(measured, pictures=shown)
        return Cell(subject, recipe, measured, self)
