"""Write the matrices of a LiteRT file as int4 in blocks, by ai-edge-quantizer, and round them by GPTQ if asked.

The engine has a GPTQ of its own, which never updates the inverse Hessian as columns are done; here its scales stay and
its codes are replaced (`compress.quantization.gptq`). LiteRT multiplies int4 weights by activations that it quantizes
to int8 as it goes (FULLY_CONNECTED), and looks int4 rows up (EMBEDDING_LOOKUP).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressError, ConversionError
from compress.quantization.calls import Arrays, call
from compress.quantization.gptq import gptq
from compress.quantization.int4_grid import ZERO
from compress.quantization.packing import pack_nibbles
from compress.quantization.quiet import quiet_conversion
from compress.quantization.tflite_lookups import with_lookups
from compress.quantization.tflite_names import whole_model, with_signature, without_names

LEAST_BLOCK = 32


def pack_litert(
    content: bytes, block: int | None, *, packs_embeddings: bool, calibration: NDArray[Any] | None
) -> bytes:
    """Return the float32 .tflite file `content` with int4 weights: a scale a `block` of a row, or a row for None.

    Scales of blocks are float16. A row whose length is no multiple of the block stays float32. With `calibration`,
    ``(100, 28, 28, 1)`` or records, matrices are rounded by GPTQ, tied ones excepted: a lookup reads them too. Raises
    `ConversionError` when there is nothing to pack.
    """
    if block is not None and block < LEAST_BLOCK:
        raise CompressError(f"int4@litert: LiteRT's blocks begin at {LEAST_BLOCK} values, got {block}")
    remedy = "try granularity=channel, another step or runtime; COMPRESS_VERBOSE=1 shows all that is printed"
    with quiet_conversion("int4", "litert", remedy):
        named = with_signature(content)
        if packs_embeddings:
            named = with_lookups(named)
        matrices = _matrices(named, block)
        if not matrices:
            raise ConversionError(
                f"int4@litert: no matrix has rows of a multiple of {block or 1} values, so there is nothing to pack; "
                "choose a smaller block, granularity=channel or another step"
            )
        packed = _quantized(named, block, list(matrices))
        if calibration is not None:
            packed = _rounded(packed, named, block, matrices, calibration)
        return without_names(packed)


def _matrices(content: bytes, block: int | None) -> dict[int, tuple[str, int]]:
    """Return the operators of the main graph whose matrix can be packed: output -> (operator, the matrix's tensor)."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT, TensorType

    kinds = {BuiltinOperator.FULLY_CONNECTED: "FULLY_CONNECTED", BuiltinOperator.EMBEDDING_LOOKUP: "EMBEDDING_LOOKUP"}
    model = ModelT.InitFromPackedBuf(content, 0)
    codes = [max(int(one.builtinCode), int(one.deprecatedBuiltinCode)) for one in model.operatorCodes]
    graph, found = model.subgraphs[0], {}
    for operator in graph.operators:
        if codes[operator.opcodeIndex] not in kinds:
            continue
        place = int(operator.inputs[1])
        tensor = graph.tensors[place]
        data = model.buffers[tensor.buffer].data
        held = data is not None and len(data) > 0 and tensor.type == TensorType.FLOAT32
        if held and int(tensor.shape[1]) % (block or 1) == 0:
            found[int(operator.outputs[0])] = kinds[codes[operator.opcodeIndex]], place
    return found


def _quantized(content: bytes, block: int | None, outputs: list[int]) -> bytes:
    """Return the file with the matrices of the operators that write `outputs` in int4."""
    from ai_edge_litert.schema_py_generated import ModelT
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import Quantizer

    tensors = ModelT.InitFromPackedBuf(content, 0).subgraphs[0].tensors
    quantizer = Quantizer(bytearray(content))
    grain = "CHANNELWISE" if block is None else f"BLOCKWISE_{block}"
    for output in outputs:
        quantizer.add_dynamic_config(
            regex=f"^{tensors[output].name.decode()};?$",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            num_bits=4,
            granularity=qtyping.QuantGranularity(grain),
        )
    return bytes(quantizer.quantize(None).quantized_model)


def _rounded(
    packed: bytes,
    content: bytes,
    block: int | None,
    matrices: dict[int, tuple[str, int]],
    calibration: NDArray[Any],
) -> bytes:
    """Return the packed file with GPTQ's codes in the place of the engine's."""
    import flatbuffers
    from ai_edge_litert.schema_py_generated import ModelT, TensorType

    float_model, model = ModelT.InitFromPackedBuf(content, 0), whole_model(packed)
    graph = float_model.subgraphs[0]
    looked_up = {place for kind, place in matrices.values() if kind == "EMBEDDING_LOOKUP"}
    read_by = {int(one.outputs[0]): int(one.inputs[0]) for one in graph.operators if int(one.outputs[0]) in matrices}
    inputs: dict[int, list[int]] = {}
    for output, (_, place) in matrices.items():
        if place not in looked_up:
            inputs.setdefault(place, []).append(read_by[output])
    places = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
    moments = _second_moments(content, inputs, calibration)
    for place, moment in moments.items():
        given = graph.tensors[place]
        rows = np.asarray(float_model.buffers[given.buffer].data, np.uint8).view(np.float32).reshape(given.shape)
        tensor = places[given.name]
        if tensor.type != TensorType.INT4:
            continue
        codes, _ = gptq(rows, moment, block or rows.shape[1], given=_scales(model, tensor, len(rows)))
        model.buffers[tensor.buffer].data = pack_nibbles(codes.astype(np.int8) - np.int8(ZERO))
    builder = flatbuffers.Builder(len(packed) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _scales(model: Any, tensor: Any, rows: int) -> NDArray[np.float32]:
    """Return the scales of an int4 tensor, ``(out, blocks)``: float16 in a tensor of their own, or one a row."""
    found = tensor.quantization
    if found.details is None:
        return np.asarray(found.scale, np.float32).reshape(rows, -1)
    stored = model.buffers[model.subgraphs[0].tensors[found.details.scales].buffer].data
    return np.asarray(stored, np.uint8).view(np.float16).astype(np.float32).reshape(rows, -1)


def _second_moments(
    content: bytes, inputs: dict[int, list[int]], samples: NDArray[Any]
) -> dict[int, NDArray[np.float64]]:
    """Return the sum of x xT for each matrix, by its tensor, over the rows x of the tensors that it is applied to."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=1)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner("serving_default")
    taken = {name: (tuple(one["shape"]), one["dtype"]) for name, one in runner.get_input_details().items()}
    moments: dict[int, NDArray[np.float64]] = {}

    def run(feed: Arrays) -> Arrays:
        outputs: Arrays = runner(**feed)
        for place, read in inputs.items():
            for tensor in read:
                rows = np.asarray(interpreter.get_tensor(tensor), np.float64)
                rows = rows.reshape(-1, rows.shape[-1])
                moments[place] = moments.get(place, np.zeros(())) + rows.T @ rows
        return outputs

    for sample in samples:
        call(sample, taken, run)
    return moments
