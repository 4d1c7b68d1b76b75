"""Fine-tuning by low-rank adapters on a frozen base, in float32 or in 4 bits.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4; on a 4-bit base, Dettmers et al. 2023,
"QLoRA: Efficient Finetuning of Quantized LLMs", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from compress.errors import RecipeError
from compress.lowrank.adapted import adapter_of, attached, merged
from compress.lowrank.adapter import Adapter, initial
from compress.lowrank.targets import Targets, find_targets
from compress.quantization.codebook import BlockCodebook, dequantize_blocks, quantize_blocks
from compress.training import check_epochs, clone, kernels, retrain

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

Base = Literal["float32", "nf4", "int4"]


@dataclass(frozen=True)
class Lora:
    """Train adapters of `rank` for the `targets` on a frozen base, and merge them into its kernels.

    ``alpha`` over the rank scales the update; none is a scale of 1. ``base`` nf4 or int4 first rounds every kernel (but
    no embedding) to 4-bit codes of blocks of 64 with doubly quantized constants, as QLoRA stores it; adapters and the
    merged kernels stay float32. ``epochs`` is how long they are trained: none for as long as the subject's training
    says.

    Raises `RecipeError` for a rank below 1, an unknown target or base, an alpha that is not above 0, or a negative
    count of epochs.
    """

    rank: int
    targets: Targets = "query_value"
    alpha: float | None = None
    base: Base = "float32"
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise RecipeError(f"rank must be a whole number from 1, got {self.rank}")
        for field, allowed in (("targets", Targets), ("base", Base)):
            if getattr(self, field) not in get_args(allowed):
                raise RecipeError(
                    f"{field} must be one of {', '.join(get_args(allowed))}, got {getattr(self, field)!r}"
                )
        if self.alpha is not None and not self.alpha > 0:
            raise RecipeError(f"alpha must be above 0, got {self.alpha}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return `model` with the adapters that `train` finds merged into its base's kernels. Raises as `train`."""
        base = frozen_base(model, self.base)
        return merged(base, self._train(base, model, data, training, seed))

    def train(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> Adapter:
        """Return adapters trained on `data` for the base that `frozen_base` gives of `model`.

        Raises `RecipeError` when the model has no such layers, a kernel of lower rank, or a loss that diverges.
        """
        return self._train(frozen_base(model, self.base), model, data, training, seed)

    def _train(self, base: keras.Model, model: keras.Model, data: Dataset, training: Training, seed: int) -> Adapter:
        start = initial(find_targets(base, self.targets), self.rank, self.alpha, seed)
        adapted = attached(base, start)
        epochs = training.epochs if self.epochs is None else self.epochs
        if epochs:
            retrain(adapted, data, training, teacher=model, epochs=epochs, seed=seed)
        return adapter_of(adapted, start.alpha)


def frozen_base(model: keras.Model, base: Base) -> keras.Model:
    """Return `model` as adapters are trained on it: itself, or a copy with its kernels rounded to a 4-bit codebook."""
    if base == "float32":
        return model
    copy = clone(model)
    for kernel in kernels(copy).values():
        kernel.assign(dequantize_blocks(quantize_blocks(kernel.numpy(), BlockCodebook(base))))
    return copy
