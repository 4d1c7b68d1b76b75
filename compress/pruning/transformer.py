"""Structured pruning of transformers: attention heads and feed-forward neurons go, and smaller layers are built.

Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 4; TextPruner (Yang et al. 2022), with which
Saxena et al. 2024 (V-C, Tables XI and XII) pruned XLM-R and BERT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.pruning.transformer_blocks import Block, Kept, find_blocks, without_parts
from compress.pruning.transformer_importance import Importance, choose_kept, importance_of
from compress.training import Zeros, check_epochs, clone, retrain, training_steps

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training


@dataclass(frozen=True)
class PruneTransformer:
    """Remove the fractions ``heads`` of attention heads and ``neurons`` of feed-forward neurons, and retrain.

    Parts go in ``iterations`` of equal size, spread over the first three quarters of the retraining, so that the last
    recovers at full size; before each, the importance of what is left is taken anew. ``epochs`` is how long to retrain:
    none for as long as the subject's training says, 0 for not at all, when importance is still taken anew. ``uneven``
    ranks the parts of all layers together, so that layers end at different widths; without it each loses the same.
    Every layer keeps at least one head and one neuron.

    Models are those that keras-hub builds of ``TransformerEncoder`` or ``TransformerDecoder``, also within a functional
    model. Raises `RecipeError` for a fraction outside [0, 1), no iteration, or a negative count of epochs.
    """

    heads: float
    neurons: float
    iterations: int = 4
    epochs: int | None = None
    uneven: bool = True

    def __post_init__(self) -> None:
        for name in ("heads", "neurons"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"{name} must be in [0, 1), the fraction to remove, got {getattr(self, name)}")
        if self.iterations < 1:
            raise RecipeError(f"iterations must be at least 1, got {self.iterations}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a retrained model with smaller kernels, of the same inputs and outputs, made of Keras's own layers.

        The same seed gives the same parts and weights. Raises `RecipeError` for a model without such layers, a fraction
        that would leave a layer nothing, or a model that cannot be trained on `data`.
        """
        pruned = clone(model)
        epochs = training.epochs if self.epochs is None else self.epochs
        blocks = find_blocks(pruned)
        removal = _Removal(self, blocks, importance_of(pruned, blocks, data, training, seed))
        shares = removal_turns(self.iterations, training_steps(data, training, epochs))
        zeros = Zeros(lambda turn, weights: removal.masks_at(shares[turn], weights), shares.keys())
        if epochs:
            retrain(pruned, data, training, teacher=model, epochs=epochs, seed=seed, constraint=zeros)
        else:
            for turn in sorted(zeros.turns):
                zeros.renew(pruned, turn)
        return without_parts(pruned, blocks, removal.kept)


def removal_turns(iterations: int, steps: int) -> dict[int, float]:
    """Return before which step of training each iteration removes, and the share of the aim it then reaches.

    ``(4, 100) -> {1: 0.25, 19: 0.5, 38: 0.75, 57: 1.0}``. Iterations that fall on one step are one; without any step,
    they follow each other.
    """
    span = steps * 3 // 4 if steps else iterations
    return {1 + index * span // iterations: (index + 1) / iterations for index in range(iterations)}


class _Removal:
    """What one training removes: the output weights of a part held at zero until the network is rebuilt without it.

    A head, or neuron, whose output weights are zero adds nothing and gets no gradient, as if it were not there.
    """

    def __init__(
        self, step: PruneTransformer, blocks: Sequence[Block], importance: Callable[[], list[Importance]]
    ) -> None:
        self.step, self.blocks, self.importance = step, blocks, importance
        self.kept = [Kept(np.ones(each.heads, np.bool_), np.ones(each.neurons, np.bool_)) for each in self.blocks]

    def masks_at(self, share: float, weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.bool_]]:
        """Return the masks of all kernels when so large a share of what is to go is gone."""
        left = [
            Importance(np.where(kept.heads, each.heads, -1), np.where(kept.neurons, each.neurons, -1))
            for each, kept in zip(self.importance(), self.kept, strict=True)
        ]
        step = self.step
        self.kept = choose_kept(left, step.heads * share, step.neurons * share, uneven=step.uneven)
        masks = {path: np.ones(weight.shape, np.bool_) for path, weight in weights.items()}
        for block, kept in zip(self.blocks, self.kept, strict=True):
            masks[block.attention.output_dense.kernel.path][~kept.heads] = False
            masks[block.second.kernel.path][~kept.neurons] = False
        return masks
