"""Build artifacts, once: a recipe is applied in a process of its own and its file is kept by what it was made from.

The key of an artifact is a digest of the subject's identity, the recipe, the library versions that shape its bytes and
the source of the steps, so that a changed routine never meets a stale file. Models between steps are kept the same way:
``prune(0.9)`` is retrained once for ``prune(0.9) | float16`` and ``prune(0.9) | int8``. The building process also keeps
the last models themselves, and what their files begin with. Times are those of doing it all, whatever was found.
What a converter refuses is kept in the same way, with its words, and not tried again while the key is the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as DeadlineExceeded
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.artifact import FORMATS, Artifact, sha256_of
from compress.conversions import conversions_of, sharing
from compress.curve import Curve, curve_from_json, recording
from compress.errors import CompressError, ConversionError, RecipeError, RuntimeCrash
from compress.fingerprint import library_versions
from compress.kept import Kept, SharedModel
from compress.measure.size import gzip_bytes
from compress.model_file import ModelFile
from compress.recipe import Recipe, format_step
from compress.runtime.parent import end_with_parent
from compress.store import DEADLINE_S, Store
from compress.subject import Dataset, Subject

if TYPE_CHECKING:
    import keras

SEED = 0
REFUSAL = "refusal.txt"
"""File of an entry that holds a converter's words in the place of a model."""


_CALLED = {"tfmot": ("pruning",), "lowrank": ("quantization",)}
"""What steps of a package call that does not lie beside them: other packages of steps."""

_SHARED = (
    "step.py",
    "subject.py",
    "model_file.py",
    "records.py",
    "conversions.py",
    "ends.py",
    "training.py",
    "fused.py",
    "curve.py",
    "distillation.py",
)
"""What every step may call."""


@cache
def _source_digest(package: Path) -> str:
    """Return a digest of a step's package, and of those that it calls."""
    here = Path(__file__).parent
    files = [
        *sorted(package.glob("*.py")),
        *(file for other in _CALLED.get(package.name, ()) for file in sorted((here / other).glob("*.py"))),
        *(here / name for name in _SHARED),
    ]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _step_key(step: object) -> str:
    module = Path(str(__import__(type(step).__module__, fromlist=["__file__"]).__file__))
    return f"{format_step(step)} {_source_digest(module.parent)}"


def _key(subject: Subject, steps: tuple[object, ...], runtime: str) -> str:
    made_from = {
        "subject": subject.name,
        "identity": subject.identity(),
        "training": repr(subject.training),
        **{
            name: function and f"{function.__module__}.{function.__qualname__}"
            for name, function in (("loss", subject.training.loss), ("served", subject.served))
        },
        "steps": [_step_key(step) for step in steps],
        "runtime": runtime,
        "seed": SEED,
        "libraries": library_versions(),
        "build": sha256_of(Path(__file__).read_bytes()),
    }
    return sha256_of(json.dumps(made_from, sort_keys=True).encode())


def find_artifact(store: Store, subject: Subject, recipe: Recipe) -> Artifact | None:
    """Return the stored artifact of a subject and a recipe, or None. Imports no framework."""
    found = store.find(_file_key(subject, recipe), f"model.{FORMATS[recipe.runtime]}")
    return None if found is None else _artifact(subject, recipe, *found)


def find_refusal(store: Store, subject: Subject, recipe: Recipe) -> ConversionError | None:
    """Return the error by which a converter refused a subject and a recipe before, or None. Imports no framework.

    None, too, where ``COMPRESS_VERBOSE=1`` asks for all that the converter prints: it has to be tried for that.
    """
    found = None if os.environ.get("COMPRESS_VERBOSE") else store.find(_file_key(subject, recipe), REFUSAL)
    return None if found is None else ConversionError(found[0].read_text(encoding="utf-8"))


def _file_key(subject: Subject, recipe: Recipe) -> str:
    return _key(subject, (*recipe.transforms, recipe.export), recipe.runtime)


def _artifact(subject: Subject, recipe: Recipe, path: Path, made: dict[str, Any]) -> Artifact:
    return Artifact(
        path=path,
        subject=subject.name,
        recipe=str(recipe),
        runtime=recipe.runtime,
        sha256=made["sha256"],
        raw_bytes=path.stat().st_size,
        compress_time_s=made["compress_time_s"],
        made_with=made["libraries"],
        gzip_bytes=made["gzip_bytes"],
        curves=tuple(map(curve_from_json, made["curves"])),
    )


def build_artifact(store: Store, subject: Subject, text: str, kept: Kept | None = None) -> Artifact:
    """Apply the recipe `text` to `subject` in this process, store the file, and return its artifact.

    What `kept` holds of an earlier call is not made again, and takes as long as it took then. Raises `CompressError` of
    the step that failed; a `ConversionError` is stored in the file's place, for `find_refusal`. Frameworks are imported
    here.
    """
    recipe = Recipe.parse(text)
    kept = Kept() if kept is None else kept
    try:
        return _build(store, subject, recipe, kept)
    except BaseException as error:
        kept.clear()  # a step that failed may have left anything behind
        if isinstance(error, ConversionError):
            made = {"subject": subject.name, "recipe": str(recipe), "libraries": library_versions()}
            with contextlib.suppress(CompressError):  # a full disk is not what was asked about
                store.add(_file_key(subject, recipe), REFUSAL, str(error).encode(), made)
        raise


def _build(store: Store, subject: Subject, recipe: Recipe, kept: Kept) -> Artifact:
    data, given = kept.given(subject)
    source, compress_time_s = given, 0.0
    if recipe.transforms:
        model = given.model
        if isinstance(model, ModelFile):
            first = format_step(recipe.transforms[0])
            raise RecipeError(f"{first} needs a Keras model (.keras or .h5), and {model.path} is a {model.format} one")
        key = _key(subject, recipe.transforms, "model")
        source = kept.changed(key, lambda: _after(store, subject, recipe.transforms, given, data))
        given.check(str(recipe))
        compress_time_s = source.time_s
    spared_s, started = source.conversions.spared_s, time.perf_counter()
    model = _served(subject, recipe, source)
    with sharing(model, source.conversions):
        content = recipe.export.export(model, data, runtime=recipe.runtime, seed=SEED)
    compress_time_s += time.perf_counter() - started + source.conversions.spared_s - spared_s
    source.check(str(recipe))
    made = {
        "subject": subject.name,
        "recipe": str(recipe),
        "compress_time_s": compress_time_s,
        "model_time_s": given.time_s,
        "libraries": library_versions(),
        "gzip_bytes": gzip_bytes(content),
        "curves": [curve.to_json() for curve in source.curves],
    }
    name = f"model.{FORMATS[recipe.runtime]}"
    return _artifact(subject, recipe, *store.add(_file_key(subject, recipe), name, content, made))


def _served(subject: Subject, recipe: Recipe, source: SharedModel) -> keras.Model | ModelFile:
    """Return the model that a runtime's file is written of; a Keras file keeps the weights that steps transform."""
    serve, model = subject.served, source.model
    if serve is None or recipe.runtime == "keras" or isinstance(model, ModelFile):
        return model
    return source.conversions.once("served", lambda: serve(model))


def _after(store: Store, subject: Subject, steps: tuple[Any, ...], given: SharedModel, data: Dataset) -> SharedModel:
    """Return the model after all of `steps`, and what they took and recorded together."""
    time_s = 0.0
    curves: list[Curve] = []
    model = given.model
    for index in range(len(steps)):
        with sharing(given.model, given.conversions):
            model, made = _transformed(store, subject, steps[: index + 1], model, data)
        time_s += float(made["step_time_s"])
        curves += map(curve_from_json, made["curves"])
    return SharedModel(model, time_s, curves=tuple(curves))


def _transformed(
    store: Store, subject: Subject, steps: tuple[Any, ...], model: keras.Model, data: Any
) -> tuple[keras.Model, dict[str, Any]]:
    """Return the model after the last of `steps` and how that step made it, from the store when it is there."""
    import keras

    key, name = _key(subject, steps, "model"), "model.keras"
    found = store.find(key, name)
    if found is None:
        shared = conversions_of(model)
        spared_s, started = shared.spared_s, time.perf_counter()
        with recording() as recorded:
            changed = steps[-1].transform(model, data, subject.training, seed=SEED)
        made = {
            "step_time_s": time.perf_counter() - started + shared.spared_s - spared_s,
            "libraries": library_versions(),
            "curves": [curve.to_json() for curve in recorded.curves(format_step(steps[-1]))],
        }
        with tempfile.TemporaryDirectory() as folder:
            changed.save(Path(folder) / name)
            found = store.add(key, name, (Path(folder) / name).read_bytes(), made)
    path, stored = found
    # always the stored one, so that a file is the same whether its model was just trained or found
    return keras.saving.load_model(path, safe_mode=True, compile=False), stored


class Builder:
    """Builds artifacts in one long-lived process, which alone imports the frameworks, and replaces it when it dies.

    A `quiet` one drops what frameworks print as they load: outside of a test nothing else holds it back.
    One that is not `alone` leaves the other cores to the others.
    """

    def __init__(
        self,
        store: Store,
        announce: Callable[[str], None] = lambda _: None,
        *,
        quiet: bool = False,
        alone: bool = True,
    ) -> None:
        self.store = store
        self.quiet = quiet
        self.alone = alone
        self.announce = announce
        self._pool: ProcessPoolExecutor | None = None
        self._is_idle = True

    def artifact(self, subject: Subject, recipe: Recipe) -> Artifact:
        """Return the artifact of `subject` and `recipe`, built unless it is stored.

        Raises `RuntimeCrash` when the building process dies or exceeds its deadline, else the step's own error: a
        converter's that is stored without asking it once more.
        """
        found = self._stored(subject, recipe)
        if found is not None:
            return found
        with self.store.lock(f"{subject.name}: {recipe}"):
            # another process may have built it while this one waited
            found = self._stored(subject, recipe)
            return self._build(subject, recipe) if found is None else found

    def _stored(self, subject: Subject, recipe: Recipe) -> Artifact | None:
        """Return the stored artifact, or None. Raises the `ConversionError` that is stored in its place."""
        found = find_artifact(self.store, subject, recipe)
        if found is None and (refused := find_refusal(self.store, subject, recipe)) is not None:
            raise refused
        return found

    def _build(self, subject: Subject, recipe: Recipe) -> Artifact:
        self.announce(f"building {subject.name}: {recipe}")
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), initializer=_start_builder, initargs=(self.quiet, self.alone)
            )
        self._is_idle = False
        try:
            built = self._pool.submit(_build_here, self.store, subject, str(recipe)).result(DEADLINE_S)
        except BrokenProcessPool:
            self.close()
            raise RuntimeCrash(
                f"{subject.name}: {recipe}: the building process died (a crash, or out of memory)"
            ) from None
        except DeadlineExceeded:
            self.close()
            raise RuntimeCrash(f"{subject.name}: {recipe}: not built within {DEADLINE_S:g} s") from None
        except CompressError:
            self._is_idle = True
            raise
        self._is_idle = True
        return built

    def close(self) -> None:
        """End the building process, if there is one: at its ease when it is idle, else at once."""
        if self._pool is not None:
            if not self._is_idle:
                for process in list((self._pool._processes or {}).values()):
                    process.kill()
            self._pool.shutdown(wait=self._is_idle, cancel_futures=True)
            self._pool = None


def build_all(
    store: Store, cells: Iterable[tuple[Subject, Recipe]], processes: int, announce: Callable[[str], None]
) -> None:
    """Build `cells` in so many processes, each a subject at a time, since a subject's recipes share work.

    What fails is left for whoever asks for it, and so is the report of it.
    """
    by_subject: dict[str, list[tuple[Subject, Recipe]]] = {}
    for subject, recipe in cells:
        by_subject.setdefault(subject.name, []).append((subject, recipe))
    # the longest last, where it is taken from: a step from model to model trains, and takes as long as ten exports
    queue = sorted(by_subject.values(), key=lambda share: sum(1 + 10 * len(recipe.transforms) for _, recipe in share))
    total, built, taking = sum(map(len, queue)), itertools.count(1), threading.Lock()

    def work() -> None:
        with contextlib.closing(Builder(store, quiet=True, alone=False)) as builder:
            while True:
                with taking:
                    if not queue or stopped.is_set():
                        return
                    share = queue.pop()
                for subject, recipe in share:
                    with contextlib.suppress(Exception):
                        builder.artifact(subject, recipe)
                    if stopped.is_set():
                        return
                    with taking:
                        announce(f"built {next(built)} of {total}: {subject.name}: {recipe}")

    stopped = threading.Event()
    with ThreadPoolExecutor(processes) as threads:
        working = [threads.submit(work) for _ in range(min(processes, len(queue)))]
        try:
            for one in working:
                one.result()
        finally:
            stopped.set()


_KEPT = Kept()
"""What the building process keeps; nothing else uses it."""


def _build_here(store: Store, subject: Subject, text: str) -> Artifact:
    return build_artifact(store, subject, text, _KEPT)


def _start_builder(quiet: bool, alone: bool) -> None:
    if not alone:
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")  # the other cores have builders of their own
    if quiet and not os.environ.get("COMPRESS_VERBOSE"):
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the suite's to handle; it ends this process itself
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # the same weights from the same seed, however many cores a processor has
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
