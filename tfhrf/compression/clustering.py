"""Clustering: few values per kernel, chosen and trained by the library, to be stored as numbers."""

from typing import Any

from tfhrf.compression.constants import CLUSTERED, is_large
from tfhrf.compression.library import load
from tfhrf.compression.network import rebuild, write_stripped
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
    kernels = write_stripped(network, clustering.strip_clustering(network.model))
    return {number: of_clustered(kernel) for number, kernel in kernels.items()}
