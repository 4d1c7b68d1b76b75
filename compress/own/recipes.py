"""Which recipes fit a model of one's own: its format says for which runtimes, its task whether it can be retrained."""

from __future__ import annotations

from importlib.util import find_spec

from compress.errors import RecipeError
from compress.model_file import KERAS_FORMATS, RUNTIMES
from compress.own.subject import OwnModel
from compress.recipe import Recipe
from compress.subject import Subject

FLOAT, LITERT, ONNX, PRUNED = (
    ("float32",),
    ("float16", "dynamic_range", "{int8}", "{int16x8}"),
    ("float32@onnx", "float16@onnx", "dynamic_range@onnx", "{int8}@onnx"),
    ("prune(0.5) | {int8}", "channels(0.25) | {int8}"),
)
_CALIBRATION = 100


def propose_recipes(subject: Subject) -> list[Recipe]:
    """Return the recipes to begin with, each runtime's float32 first.

    Those of ONNX Runtime are proposed where it is installed; pruning for a Keras classifier with labels, as it
    retrains. Integer recipes calibrate on 100 samples, or all there are when there are fewer.
    Raises `RecipeError` for a subject that `compress.own.own_subject` did not make.
    """
    if not isinstance(subject.model, OwnModel):
        raise RecipeError(f"recipes are proposed for model files, and {subject.name!r} is none")
    file = subject.model.file
    runtimes, texts = RUNTIMES[file.format], list[str]()
    if "litert" in runtimes:
        texts += [*FLOAT, *LITERT]
        if file.format in KERAS_FORMATS and subject.task == "classification":
            texts += PRUNED
    needed = ("onnx", "onnxruntime") if file.format == "onnx" else ("onnx", "onnxruntime", "tf2onnx")
    if "onnx" in runtimes and all(find_spec(module) is not None for module in needed):
        texts += ONNX
    samples = len(subject.data().train_x)
    some = "" if samples >= _CALIBRATION else f"({samples})"
    return [Recipe.parse(text.format(int8=f"int8{some}", int16x8=f"int16x8{some}")) for text in texts]
