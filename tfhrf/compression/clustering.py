"""Clustering: few values per kernel, chosen and trained by the library, to be stored as numbers."""

from typing import Any

import numpy as np

from tfhrf.compression.constants import CLUSTERED, is_large
from tfhrf.compression.library import load
from tfhrf.compression.network import rebuild, write_back
from tfhrf.compression.structure import Structure, of_clustered
from tfhrf.compression.tuning import Lessons, tune


def cluster(
    graph: Any, lessons: Lessons, count: int, steps: int, rate: float
) -> dict[int, Structure]:
    """Leaves a few values in each kernel of CLUSTERED's sizes in a float graph, and trains them.

    Args:
        graph: ModelT; its weights are changed.
        lessons: Lessons of the float model.
        count: of values.
        steps, rate: of training.

    Returns:
        {number of an operator: what later training must keep of its kernel}.
    """
    clustering = load().tfmot.clustering.keras

    def wrap(number: int, operator: Any, layer: Any) -> Any:
        if not is_large(graph, operator, CLUSTERED):
            return layer
        start = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
        return clustering.cluster_weights(layer, count, start)

    network = rebuild(graph, wrap)
    tune(network, lessons, steps, rate)
    stripped = clustering.strip_clustering(network.model)
    kernels = {
        number: np.asarray(stripped.get_layer(part.name).kernel)
        for number, part in enumerate(network.parts)
        if part.caller is not part.layer
    }
    write_back(network, {network.parts[number].name: kernel for number, kernel in kernels.items()})
    return {number: of_clustered(kernel) for number, kernel in kernels.items()}
