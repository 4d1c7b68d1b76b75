"""A recipe's text is read, printed back, and refused with the column and the reason."""

import dataclasses
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from compress.artifact import FORMATS
from compress.errors import RecipeError
from compress.recipe import STEPS, Recipe, format_step, step_class
from compress.step import Export, Transform

TRANSFORMS = [name for name in STEPS if not hasattr(step_class(name), "export")]
EXPORTS = [name for name in STEPS if hasattr(step_class(name), "export")]


def values(hint: Any) -> st.SearchStrategy[object]:
    """Return candidate values of a step's parameter, by its annotation."""
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_args(hint):
        return st.one_of(*map(values, get_args(hint)))
    by_type = {
        float: st.floats(0, 1, exclude_max=True) | st.sampled_from([0, 0.0, 0.5, 1e-05]),
        int: st.integers(3, 1000),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return by_type[hint]


@st.composite
def steps(draw: st.DrawFn, names: list[str]) -> Any:
    kind = step_class(draw(st.sampled_from(names)))
    hints = get_type_hints(kind)
    drawn = {field.name: draw(values(hints[field.name])) for field in dataclasses.fields(kind)}
    try:
        return kind(**{name: value for name, value in drawn.items() if draw(st.booleans()) or _needed(kind, name)})
    except RecipeError:  # parameters that do not fit together, such as 9:4 sparsity
        reject()


def _needed(kind: Any, name: str) -> bool:
    return next(field for field in dataclasses.fields(kind) if field.name == name).default is dataclasses.MISSING


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    export = draw(steps(EXPORTS))
    transforms = draw(st.lists(steps(TRANSFORMS), max_size=3))
    return Recipe(tuple(transforms), export, draw(st.sampled_from(sorted(export.runtimes))))


@given(recipes())
def test_what_a_recipe_prints_is_read_as_the_same_recipe(recipe):
    assert Recipe.parse(str(recipe)) == recipe


@given(recipes(), recipes())
def test_recipes_are_equal_exactly_when_they_print_the_same(one, other):
    again = Recipe.parse(str(one))
    assert (str(one) == str(other)) == (one == other)
    assert str(again) == str(one)


@given(recipes(), st.sampled_from([" ", "\t", "\n", "   "]))
def test_space_between_the_parts_means_nothing(recipe, space):
    spread = str(recipe)
    for mark in "|(),=@":
        spread = spread.replace(mark, f"{space}{mark}{space}")
    assert Recipe.parse(spread) == recipe


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("prune(0.9) | int8", "prune(0.9) | int8"),
        ("float16@onnx", "float16@onnx"),
        ("prune(0.9, scope=layer)", "prune(0.9, scope=layer)"),
        ("prune(0.9, layer)", "prune(0.9, scope=layer)"),
        ("prune(sparsity=0.90)", "prune(0.9)"),
        ("prune(9e-1)|float32", "prune(0.9)"),
        ("prune(0.0)", "prune(0)"),
        ("prune(0.9, global, polynomial, 0.5, none)", "prune(0.9)"),
        ("float32@litert", "float32"),
        ("int8(100)", "int8"),
        ("cluster(32, preserve_sparsity=true) | int8@onnx", "cluster(32, preserve_sparsity=true) | int8@onnx"),
        ("checkpoint @ keras", "checkpoint@keras"),
    ],
)
def test_a_recipe_is_printed_in_its_shortest_form(text, printed):
    assert str(Recipe.parse(text)) == printed


STEP_NAMES = f"steps are {', '.join(STEPS)}"


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "expected a step, found the end"),
        ("   ", 4, "expected a step, found the end"),
        ("@onnx", 1, "expected a step, found '@'"),
        ("int8 |", 7, "expected a step, found the end"),
        ("| int8", 1, "expected a step, found '|'"),
        ("prune(0.9) | flaot16", 14, f"no step 'flaot16'; did you mean 'float16'? {STEP_NAMES}"),
        ("zzz", 1, f"no step 'zzz'; {STEP_NAMES}"),
        ("float16@tflight", 9, "runtime must be one of litert, onnx, keras, got 'tflight'"),
        ("float16@", 9, "expected a runtime, found the end"),
        ("checkpoint", 1, "checkpoint cannot be written for @litert; it can for @keras"),
        ("prune(0.5) | checkpoint@onnx", 25, "checkpoint cannot be written for @onnx; it can for @keras"),
        ("int8 | prune(0.9)", 1, "int8 writes a file, so it can only come last"),
        ("prune(0.9) | float16 | int8", 14, "float16 writes a file, so it can only come last"),
        ("retrain | prune(1.5)", 11, "prune: sparsity must be in [0, 1), got 1.5"),
        ("int8(granularity=row)", 1, "int8: granularity must be one of channel, tensor, got 'row'"),
        ("prune(abc)", 7, "prune: sparsity must be a number, got abc"),
        ("prune(true)", 7, "prune: sparsity must be a number, got true"),
        ("prune(0.9, epochs=2.5)", 19, "prune: epochs must be a whole number or none, got 2.5"),
        ("cluster(32, preserve_sparsity=1)", 31, "cluster: preserve_sparsity must be true or false, got 1"),
        ("prune(0.9, scope=7)", 18, "prune: scope must be one of layer, global, lamp, got 7"),
        ("prune", 1, "prune needs sparsity"),
        ("prune()", 7, "expected a value, found ')'"),
        ("prune(0.9, scop=global)", 12, "prune has no parameter 'scop'; it has sparsity, scope, schedule,"),
        ("float32(bits=8)", 9, "float32 has no parameter 'bits'; it has none"),
        ("prune(0.9, sparsity=0.5)", 12, "sparsity is given twice"),
        ("int8(engine=ai_edge, tensor)", 22, "a value without a name cannot follow a named one"),
        ("prune_n_m(2, 4, 1, 4)", 20, "prune_n_m takes 3 parameters (n, m, epochs)"),
        ("float32(1)", 9, "float32 takes no parameters"),
        ("prune(0.9", 10, "expected ')', found the end"),
        ("prune(0.9,)", 11, "expected a value, found ')'"),
        ("prune(0.9, scope=", 18, "expected a value, found the end"),
        ("prune(0.9 global)", 11, "expected ')', found 'global'"),
        ("prune(0.9) int8", 12, "expected '|', '@' or the end, found 'int8'"),
        ("float16@onnx | int8", 14, "expected '|', '@' or the end, found '|'"),
        ("int8)", 5, "expected '|', '@' or the end, found ')'"),
        ("int8 $", 6, "unexpected '$'"),
        ("prune(0,9)", 9, "prune: scope must be one of layer, global, lamp, got 9"),
    ],
)
def test_a_bad_recipe_says_where_and_why(text, column, reason):
    with pytest.raises(RecipeError) as refused:
        Recipe.parse(text)
    assert str(refused.value).startswith(f"recipe {text!r}, column {column}: {reason}")


@given(
    st.lists(st.sampled_from([*"()|,=@ .0919", "prune", "int8", "scope", "global", "onnx", "true", "$", "é"])).map(
        "".join
    )
)
def test_any_text_is_read_or_refused_with_a_recipe_error(text):
    try:
        recipe = Recipe.parse(text)
    except RecipeError as refused:
        said = str(refused)
    else:
        said = f"recipe {text!r}, column " if Recipe.parse(str(recipe)) == recipe else "another recipe came back"
    assert said.startswith(f"recipe {text!r}, column ")


def test_an_unknown_runtime_is_refused_without_a_text_too():
    with pytest.raises(RecipeError, match="runtime must be one of litert, onnx, keras, got 'tflite'"):
        Recipe((), step_class("float32")(), "tflite")


def test_a_step_outside_the_registry_cannot_be_printed():
    with pytest.raises(RecipeError, match="int is not a registered step; add it to compress\\.recipe\\.STEPS"):
        format_step(3)


@pytest.mark.parametrize("runtime", FORMATS)
def test_the_reference_is_plain_float32_in_the_same_runtime(runtime):
    recipe = Recipe.parse(f"prune(0.9) | float32@{runtime}")
    assert recipe.reference() == Recipe.parse(f"float32@{runtime}")
    assert recipe.reference().reference() == recipe.reference()


@pytest.mark.parametrize("name", STEPS)
def test_every_registered_step_is_a_frozen_dataclass_without_state(name):
    kind = step_class(name)
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert kind.__doc__


@pytest.mark.parametrize("name", STEPS)
def test_every_registered_step_either_transforms_or_exports(name):
    assert issubclass(step_class(name), Transform) != hasattr(step_class(name), "export")


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_names_runtimes_there_are(name):
    assert callable(step_class(name).export)
    assert isinstance(step_class(name)(), Export)
    assert set() < step_class(name).runtimes <= set(FORMATS)


@pytest.mark.parametrize("name", STEPS)
def test_no_two_names_stand_for_one_step(name):
    assert [other for other, target in STEPS.items() if target == STEPS[name]] == [name]
