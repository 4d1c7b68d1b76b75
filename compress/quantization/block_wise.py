"""4-bit files: weights packed two a byte in blocks with a scale each, and runtimes that compute from them.

int4 rounds to a grid, by itself or by GPTQ (Frantar et al. 2022); nf4 to the quantiles of a normal distribution
(Dettmers et al. 2023, "QLoRA"). What Saxena et al. 2024, tables XV to XVII, call 4-bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from compress.errors import RecipeError
from compress.quantization.export import Float32, check_keras

if TYPE_CHECKING:
    from compress.quantization.export import Model
    from compress.subject import Dataset

Method = Literal["rtn", "gptq"]
Embeddings = Literal["int4", "float32"]
Granularity = Literal["block", "channel"]

BLOCKS = (16, 32, 64, 128, 256)
"""Block sizes of ONNX Runtime's operators; LiteRT's kernels begin at 32."""


@dataclass(frozen=True)
class Int4:
    """Int4 weights with a scale for each ``block`` values that are summed over; activations stay as they are.

    ``method`` rounds to nearest, or by GPTQ on `calibration` training samples. ``embeddings`` says whether tables that
    are looked up are packed as well; ``granularity`` channel gives an output one scale instead of one a block, not in
    ONNX files. ONNX Runtime multiplies float32 activations (MatMulNBits); LiteRT quantizes them to int8 as it goes, as
    in ``dynamic_range``; Keras unpacks, its zero not in the middle, and its file is ``.weights.h5``. Convolutions stay
    float32. Raises `RecipeError` for a value that no runtime has.
    """

    block: int = 32
    method: Method = "rtn"
    embeddings: Embeddings = "int4"
    granularity: Granularity = "block"
    calibration: int = 100

    runtimes: ClassVar[frozenset[str]] = frozenset({"litert", "onnx", "keras"})

    def __post_init__(self) -> None:
        _check_block(self.block)
        for field, allowed in (("method", Method), ("embeddings", Embeddings), ("granularity", Granularity)):
            if getattr(self, field) not in get_args(allowed):
                choices = ", ".join(get_args(allowed))
                raise RecipeError(f"{field} must be one of {choices}, got {getattr(self, field)!r}")
        if self.calibration < 1:
            raise RecipeError(f"calibration must be a whole number of samples from 1, got {self.calibration!r}")

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:
        """Return the bytes of the file for `runtime`; `seed` chooses GPTQ's calibration samples.

        Raises `RecipeError` for an option that `runtime` has not, `CompressError` for a model with nothing to pack.
        """
        if runtime == "onnx" and self.granularity == "channel":
            raise RecipeError("int4(granularity=channel) is for LiteRT and Keras; leave the granularity out for @onnx")
        block = None if self.granularity == "channel" else self.block
        if runtime == "keras":
            if self.method == "gptq":
                raise RecipeError("int4(method=gptq) is for LiteRT and ONNX; leave the method out for @keras")
            check_keras("int4", model)
            from compress.quantization.keras_file import write_int4_weights

            return write_int4_weights(model, block, packs_embeddings=self.embeddings == "int4")
        samples = data.calibration(self.calibration, seed) if self.method == "gptq" else None
        content = Float32().export(model, data, runtime=runtime, seed=seed)
        if runtime == "litert":
            from compress.quantization.litert_four_bit import pack_litert

            return pack_litert(content, block, packs_embeddings=self.embeddings == "int4", calibration=samples)
        from compress.quantization.onnx_four_bit import Packing, pack_onnx

        return pack_onnx(content, Packing("int4", self.block, self.embeddings), samples)


@dataclass(frozen=True)
class NF4:
    """NormalFloat weights with a float32 scale for each ``block`` values, for ONNX Runtime (MatMulBnb4).

    The scales are not quantized a second time: the operator has no place for that. Tables that are looked up are int4
    in blocks as in `Int4`, as no runtime looks up in NF4; ``embeddings=float32`` leaves them, as bitsandbytes does.
    """

    block: int = 64
    embeddings: Embeddings = "int4"

    runtimes: ClassVar[frozenset[str]] = frozenset({"onnx"})

    def __post_init__(self) -> None:
        _check_block(self.block)
        if self.embeddings not in get_args(Embeddings):
            raise RecipeError(f"embeddings must be one of {', '.join(get_args(Embeddings))}, got {self.embeddings!r}")

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:
        """Return the bytes of the file. Raises `CompressError` for a model with nothing to pack."""
        if runtime not in self.runtimes:
            raise RecipeError(f"nf4 can be written for onnx, not for {runtime!r}")
        from compress.quantization.onnx_four_bit import Packing, pack_onnx

        content = Float32().export(model, data, runtime=runtime, seed=seed)
        return pack_onnx(content, Packing("nf4", self.block, self.embeddings), None)


def _check_block(block: int) -> None:
    if block not in BLOCKS:
        raise RecipeError(f"block must be one of {', '.join(map(str, BLOCKS))}, got {block!r}")
