"""A float weight in a quantized file gets the reason that the graph shows, and none that it does not."""

import pytest

from compress.explain.kept_float import UNKNOWN, kept_float
from tests.explain.graphs import graph, parts

KERNEL = ("kernel", "int8", (64, 64))
INTEGER_LAYER = ("FULLY_CONNECTED", ["x", "kernel"], "dense")


def reasons(constants, nodes, activations=(), runtime="litert"):
    found = kept_float(parts(constants), graph(nodes, constants, activations), runtime)
    return {one.name: one.reason for one in found}


def test_a_file_without_narrow_weights_kept_nothing_float():
    constants = [("w", "float32", (64, 64))]
    assert reasons(constants, [("FULLY_CONNECTED", ["x", "w"], "y")]) == {}


def test_small_kernels_are_under_the_limit_of_dynamic_range():
    small = ("w", "float32", (8, 8))
    found = reasons([KERNEL, small], [INTEGER_LAYER, ("FULLY_CONNECTED", ["dense", "w"], "y")])
    assert found["w"] == "64 elements: dynamic range leaves weights under 1,024 in float"


def test_size_is_no_reason_where_a_smaller_tensor_is_quantized():
    constants = [KERNEL, ("tiny", "int8", (4, 4)), ("w", "float32", (8, 8))]
    nodes = [INTEGER_LAYER, ("FULLY_CONNECTED", ["dense", "tiny"], "z"), ("FULLY_CONNECTED", ["z", "w"], "y")]
    assert reasons(constants, nodes)["w"] == UNKNOWN


def test_size_is_no_reason_for_a_kernel_of_1024_elements():
    constants = [KERNEL, ("w", "float32", (32, 32))]
    nodes = [INTEGER_LAYER, ("FULLY_CONNECTED", ["dense", "w"], "y")]
    assert reasons(constants, nodes)["w"] == UNKNOWN


def test_a_bias_beside_float_activations_is_one():
    constants = [KERNEL, ("b", "float32", (64,))]
    found = reasons(constants, [("FULLY_CONNECTED", ["x", "kernel", "b"], "y")])
    assert found["b"] == "bias of FULLY_CONNECTED, whose sums are float32"


def test_a_bias_beside_float16_weights_is_one():
    constants = [("w", "float16", (64, 64)), ("b", "float32", (64,))]
    nodes = [("DEQUANTIZE", ["w"], "w32"), ("FULLY_CONNECTED", ["x", "w32", "b"], "y")]
    assert reasons(constants, nodes)["b"] == "bias of FULLY_CONNECTED, beside float16 weights"


def test_an_operator_without_a_kernel_for_integer_weights_is_named():
    constants = [KERNEL, ("w", "float32", (64, 64))]
    found = reasons(constants, [INTEGER_LAYER, ("MUL", ["dense", "w"], "y")])
    assert found["w"] == "MUL has no kernel for integer weights beside float activations"


@pytest.mark.parametrize("shape", [(64,), (1, 1, 64)])
def test_one_factor_and_one_term_a_channel_are_a_batch_normalisation(shape):
    constants = [KERNEL, ("scale", "float32", shape), ("shift", "float32", shape)]
    nodes = [INTEGER_LAYER, ("MUL", ["dense", "scale"], "scaled"), ("ADD", ["scaled", "shift"], "y")]
    said = "MUL then ADD with one value a channel: a batch normalisation that was not folded"
    assert reasons(constants, nodes) == {"scale": said, "shift": said}


def test_a_factor_without_a_term_is_no_batch_normalisation():
    constants = [KERNEL, ("scale", "float32", (64,))]
    nodes = [INTEGER_LAYER, ("MUL", ["dense", "scale"], "scaled"), ("ADD", ["scaled", "x"], "y")]
    assert "batch" not in reasons(constants, nodes)["scale"]


def test_a_table_read_by_a_gather_and_a_product_is_tied():
    constants = [KERNEL, ("table", "float32", (100, 64))]
    nodes = [("GATHER", ["table", "x"], "embedded"), INTEGER_LAYER, ("FULLY_CONNECTED", ["dense", "table"], "y")]
    assert reasons(constants, nodes)["table"] == "tied: the table of a GATHER as well as read by FULLY_CONNECTED"


def test_tensors_that_share_their_bytes_are_one_tied_table():
    from dataclasses import replace

    constants = [KERNEL, ("table", "float32", (100, 64)), ("twin", "float32", (100, 64))]
    nodes = [("GATHER", ["table", "x"], "embedded"), INTEGER_LAYER, ("FULLY_CONNECTED", ["dense", "twin"], "y")]
    made = graph(nodes, constants)
    made.tensors["twin"] = replace(made.tensors["twin"], storage="table")
    found = kept_float(parts(constants[:2]), made, "litert")
    assert found[0].reason.startswith("tied")


def test_a_table_alone_is_one():
    constants = [KERNEL, ("table", "float32", (100, 64))]
    found = reasons(constants, [("GATHER", ["table", "x"], "embedded"), INTEGER_LAYER])
    assert found["table"] == "the table of a GATHER, which gives float32"


def test_an_operator_between_dequantize_and_quantize_was_left_out():
    constants = [KERNEL, ("w", "float32", (64, 64))]
    nodes = [
        INTEGER_LAYER,
        ("DEQUANTIZE", ["dense"], "float"),
        ("FULLY_CONNECTED", ["float", "w"], "z"),
        ("QUANTIZE", ["z"], "y"),
    ]
    found = reasons(constants, nodes, [("x", "int8"), ("dense", "int8"), ("y", "int8")])
    assert found["w"] == "FULLY_CONNECTED was left out: a DEQUANTIZE before it turns integers into float"


def test_an_operator_whose_input_is_float_is_in_float_as_its_writer_is():
    constants = [KERNEL, ("w", "float32", (64, 64))]
    nodes = [
        INTEGER_LAYER,
        ("DEQUANTIZE", ["dense"], "float"),
        ("ERF", ["float"], "curve"),
        ("FULLY_CONNECTED", ["curve", "w"], "y"),
    ]
    found = reasons(constants, nodes, [("x", "int8"), ("dense", "int8")])
    assert found["w"] == "FULLY_CONNECTED computes in float, as the ERF does that gives its input"


def test_a_constant_that_nobody_reads_is_said_to_be_that():
    constants = [KERNEL, ("w", "float32", (64, 64))]
    assert reasons(constants, [INTEGER_LAYER])["w"] == "no operation reads it"


QDQ = [
    ("QuantizeLinear", ["x"], "codes"),
    ("DequantizeLinear", ["codes"], "rounded"),
    ("DequantizeLinear", ["kernel"], "values"),
    ("Gemm", ["rounded", "values"], "dense"),
]


def test_an_onnx_operation_without_quantizers_around_it_is_said_to_be_that():
    pytest.importorskip("onnxruntime")
    constants = [KERNEL, ("w", "float32", (64, 64))]
    found = reasons(constants, [*QDQ, ("Gemm", ["dense", "w"], "y")], runtime="onnx")
    assert found["w"] == "no QuantizeLinear and DequantizeLinear around this Gemm: it computes in float"


def test_an_onnx_operation_that_is_not_on_the_list_is_said_to_be_that():
    pytest.importorskip("onnxruntime")
    constants = [KERNEL, ("w", "float32", (64, 64))]
    found = reasons(constants, [*QDQ, ("PRelu", ["dense", "w"], "y")], runtime="onnx")
    assert found["w"] == "PRelu is none of the operators that ONNX Runtime quantizes"


def test_a_float_weight_among_quantizers_has_no_visible_reason():
    pytest.importorskip("onnxruntime")
    constants = [KERNEL, ("w", "float32", (64, 64))]
    found = reasons(constants, [*QDQ[:3], ("Gemm", ["rounded", "w"], "y")], runtime="onnx")
    assert found["w"] == UNKNOWN


def test_dynamic_quantization_takes_no_gru():
    pytest.importorskip("onnxruntime")
    constants = [KERNEL, ("w", "float32", (1, 64, 64))]
    nodes = [("DynamicQuantizeLinear", ["x"], "codes"), ("MatMulInteger", ["codes", "kernel"], "sums")]
    found = reasons(constants, [*nodes, ("GRU", ["sums", "w"], "y")], [("sums", "int32")], runtime="onnx")
    assert found["w"] == "GRU is none of the operators that ONNX Runtime quantizes dynamically"


def test_a_bias_behind_an_integer_product_is_one():
    pytest.importorskip("onnxruntime")
    constants = [KERNEL, ("scale", "float32", ()), ("b", "float32", (64,))]
    nodes = [
        ("DynamicQuantizeLinear", ["x"], "codes"),
        ("MatMulInteger", ["codes", "kernel"], "sums"),
        ("Cast", ["sums"], "float"),
        ("Mul", ["float", "scale"], "product"),
        ("Add", ["product", "b"], "y"),
    ]
    found = reasons([KERNEL, constants[2]], nodes, [("sums", "int32")], runtime="onnx")
    # the graph of the helper needs the scale as a constant too, which is no weight
    assert found == {"b": "bias of a MatMulInteger, added once its integer sums are float32 again"}


def test_the_largest_come_first():
    constants = [KERNEL, ("small", "float32", (8, 8)), ("large", "float32", (8, 64))]
    nodes = [INTEGER_LAYER, ("MUL", ["dense", "small"], "z"), ("MUL", ["z", "large"], "y")]
    made = kept_float(parts(constants), graph(nodes, constants), "litert")
    assert [one.name for one in made] == ["large", "small"]
