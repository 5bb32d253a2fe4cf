"""Pruning: zeros in blocks that the C code skips, chosen and trained around by the library."""

from typing import Any

from tfhrf.compression.constants import in_layout, is_large
from tfhrf.compression.library import load
from tfhrf.compression.network import rebuild, write_stripped
from tfhrf.compression.structure import Structure, of_pruned
from tfhrf.compression.tuning import Lessons, tune
from tfhrf.deploy.tflite import graph as graphs

# Of a kernel (depth, outputs): what one step of the C kernels multiplies by.
BLOCK = (4, 2)
# Share of the steps in which zeros grow, and after which they stay where they are.
GROWING = 0.6


def prune(
    graph: Any, lessons: Lessons, share: float, steps: int, rate: float
) -> dict[int, Structure]:
    """Sets a share of each large kernel of a float graph to zero, in blocks, and trains the rest.

    Args:
        graph: ModelT; its weights are changed.
        lessons: Lessons of the float model.
        share: of the blocks, between 0 and 1.
        steps, rate: of training.

    Returns:
        {number of an operator: what later training must keep of its kernel}.
    """
    sparsity = load().tfmot.sparsity.keras
    last = max(2, int(GROWING * steps))
    every = max(1, last // 20)

    def wrap(number: int, operator: Any, layer: Any) -> Any:
        if not is_large(graph, operator):
            return layer
        schedule = sparsity.PolynomialDecay(0.0, share, 0, last, frequency=every)
        return sparsity.prune_low_magnitude(layer, schedule, block_size=block_of(graph, operator))

    network = rebuild(graph, wrap)
    tune(network, lessons, steps, rate, [sparsity.UpdatePruningStep()])
    kernels = write_stripped(network, sparsity.strip_pruning(network.model))
    return {number: of_pruned(kernel) for number, kernel in kernels.items()}


def block_of(graph: Any, operator: Any) -> tuple[int, int]:
    """BLOCK, or single inputs or outputs of a kernel that has but one block of them.

    The library loses the dimension in which there is one, and has blocks of matrices only.
    """
    kernel = graphs.constant_array(graph, operator.inputs[1])
    shape = in_layout(graphs.operator_name(graph, operator), 1, kernel).shape
    rows, columns = (
        size if length > size else 1 for length, size in zip(shape, BLOCK, strict=True)
    )
    return (rows, columns) if min(shape) > 1 else (1, 1)
