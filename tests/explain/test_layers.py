"""Layers of two files are the same by name where both have names, by kind, shape and order where they have none."""

from compress.explain.layers import match, match_constants, source, telling, uses
from tests.explain.graphs import graph

FLOAT = [("CONV_2D", ["x", "k1"], "a"), ("RELU", ["a"], "b"), ("FULLY_CONNECTED", ["b", "k2"], "c")]
CONSTANTS = [("k1", "float32", (8, 3, 3, 1)), ("k2", "float32", (4, 8))]


def pairs(found):
    return [(node.name, there) for node, _, there in found.pairs]


def test_layers_of_one_name_are_the_same():
    other = graph([FLOAT[2], FLOAT[0], FLOAT[1]], CONSTANTS)
    assert pairs(match(graph(FLOAT, CONSTANTS), other)) == [("a", "a"), ("b", "b"), ("c", "c")]


def test_names_made_from_places_are_not_compared():
    # the quantized file's first result is called as the float file's second
    quantized = [("QUANTIZE", ["x"], "a"), ("CONV_2D", ["a", "k1"], "b"), ("RELU", ["b"], "c")]
    here, there = (graph(nodes, CONSTANTS[:1], named=False) for nodes in (FLOAT[:2], quantized))
    assert pairs(match(here, there)) == [("a", "b"), ("b", "c")]


def test_a_layer_that_the_other_file_lacks_is_named_with_the_reason():
    here, there = (
        graph(nodes, CONSTANTS, named=False) for nodes in (FLOAT, [FLOAT[0], ("FULLY_CONNECTED", ["a", "k2"], "c")])
    )
    found = match(here, there)
    assert pairs(found) == [("a", "a"), ("c", "c")]
    assert [(node.name, why) for node, why in found.unmatched] == [("b", "the other file has no RELU")]


def test_a_layer_of_another_shape_is_not_the_same():
    here = graph(FLOAT[:1], CONSTANTS[:1], [("a", "float32", (1, 8))])
    there = graph(FLOAT[:1], CONSTANTS[:1], [("a", "float32", (1, 9))])
    found = match(here, there)
    assert not found.pairs
    assert found.unmatched[0][1] == "a has another shape there"


def test_a_result_is_compared_after_its_rounding():
    rounded = [("Conv", ["x", "k1"], "a"), ("QuantizeLinear", ["a"], "codes"), ("DequantizeLinear", ["codes"], "back")]
    there = graph(rounded, CONSTANTS[:1])
    assert pairs(match(graph([("Conv", ["x", "k1"], "a")], CONSTANTS[:1]), there)) == [("a", "back")]


def test_what_the_other_file_folds_into_a_layer_is_compared_with_it():
    chain = [("Conv", ["x", "k1"], "a"), ("BatchNormalization", ["a", "k2"], "b"), ("Relu", ["b"], "c")]
    here = graph([*chain, ("Conv", ["c", "k1"], "d")], CONSTANTS, named=False)
    there = graph([("Conv", ["x", "k1"], "p"), ("Conv", ["p", "k1"], "q")], CONSTANTS, named=False)
    found = match(here, there)
    assert [(node.name, result, other) for node, result, other in found.pairs] == [("a", "c", "p"), ("d", "d", "q")]
    # the first kernel holds the normalization there, and is another
    assert [layer for _, _, layer in match_constants(here, there, found)] == ["d"]


def test_a_layer_that_others_read_too_is_compared_as_it_is():
    nodes = [("Conv", ["x", "k1"], "a"), ("Relu", ["a"], "b"), ("Add", ["a", "b"], "c")]
    there = graph([("Conv", ["x", "k1"], "p"), ("Add", ["p", "p"], "q")], CONSTANTS[:1], named=False)
    found = match(graph(nodes, CONSTANTS[:1], named=False), there)
    assert [result for _, result, _ in found.pairs] == ["a", "c"]


def test_a_bias_that_the_other_file_has_in_the_layer_is_compared_with_it():
    nodes = [("Conv", ["x", "k1"], "a"), ("Add", ["a", "k2"], "b"), ("Add", ["b", "x"], "c")]
    there = graph([("Conv", ["x", "k1", "k2"], "p"), ("Add", ["p", "x"], "q")], CONSTANTS, named=False)
    found = match(graph(nodes, CONSTANTS, named=False), there)
    node, result, same = found.pairs[0]
    assert (node.name, result, same) == ("a", "b", "p")
    # what is added to a layer that has no bias there is a layer of its own
    bare = graph([("Conv", ["x", "k1"], "p"), ("Add", ["p", "k2"], "q")], CONSTANTS, named=False)
    assert [result for _, result, _ in match(graph(nodes[:2], CONSTANTS, named=False), bare).pairs] == ["a", "b"]


def test_an_activation_that_both_files_have_is_a_layer_of_its_own():
    nodes = [("Conv", ["x", "k1"], "a"), ("Relu", ["a"], "b")]
    here, there = (graph(nodes, CONSTANTS[:1], named=False) for _ in range(2))
    assert [result for _, result, _ in match(here, there).pairs] == ["a", "b"]


def test_an_integer_convolution_stands_where_the_float_one_does():
    here = graph([("Conv", ["x", "k1"], "a")], CONSTANTS[:1], named=False)
    there = graph([("ConvInteger", ["x", "k1"], "z")], CONSTANTS[:1], named=False)
    assert pairs(match(here, there)) == [("a", "z")]


def test_constants_without_names_are_matched_by_their_place():
    half = [("DEQUANTIZE", ["h1"], "f1"), ("DEQUANTIZE", ["h2"], "f2")]
    layers = [("CONV_2D", ["x", "f1"], "d"), ("RELU", ["d"], "e"), ("FULLY_CONNECTED", ["e", "f2"], "f")]
    held = [("h1", "float16", (8, 3, 3, 1)), ("h2", "float16", (4, 8))]
    here, there = graph(FLOAT, CONSTANTS, named=False), graph([*half, *layers], held, named=False)
    assert list(match_constants(here, there, match(here, there))) == [("k1", "h1", "a"), ("k2", "h2", "c")]


def test_onnx_runtime_calls_a_quantized_constant_by_its_float_name():
    here = graph([("Gemm", ["x", "w"], "a")], [("w", "float32", (4, 4))])
    there = graph(
        [("DequantizeLinear", ["w_quantized"], "v"), ("Gemm", ["x", "v"], "z")], [("w_quantized", "int8", (4, 4))]
    )
    assert list(match_constants(here, there, match(here, there))) == [("w", "w_quantized", "a")]


def test_a_constant_is_followed_through_conversions_both_ways():
    nodes = [("QUANTIZE", ["w"], "q"), ("DEQUANTIZE", ["q"], "v"), ("FULLY_CONNECTED", ["x", "v"], "y")]
    made = graph(nodes, [("w", "float32", (4, 4))])
    assert source(made, "v") == "w"
    assert [(node.name, position) for node, position in uses(made, "w")] == [("y", 1)]


def test_the_error_that_tells_is_of_what_a_last_softmax_reads():
    nodes = [("Gemm", ["x", "w"], "scores"), ("Softmax", ["scores"], "y")]
    assert telling(graph(nodes, [("w", "float32", (4, 4))])) == "scores"
    rounded = [
        *nodes[:1],
        ("QuantizeLinear", ["scores"], "q"),
        ("DequantizeLinear", ["q"], "v"),
        ("Softmax", ["v"], "p"),
    ]
    ends = [("QuantizeLinear", ["p"], "codes"), ("DequantizeLinear", ["codes"], "y")]
    assert telling(graph([*rounded, *ends], [("w", "float32", (4, 4))])) == "v"


def test_the_error_that_tells_is_the_output_where_nothing_saturates():
    assert telling(graph([("Gemm", ["x", "w"], "y")], [("w", "float32", (4, 4))])) == "y"
