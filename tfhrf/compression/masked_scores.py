"""Scores of attention in a float graph, and the masks that hide some of them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from tfhrf.compression.evaluate import keeps_values, makers_of, value_count
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.calibrate import EXCLUDED


def scores_in(graph: Any, read: Iterable[int], values: Mapping[int, np.ndarray]) -> set[int]:
    """The tensors of scores that are hidden already, or wait for the last mask only.

    Args:
        graph: float ModelT.
        read: indices of the tensors that SOFTMAX alone reads.
        values: values of the tensors by their index.
    """
    tensors, makers = graph.subgraphs[0].tensors, makers_of(graph)
    found, waiting = set(map(int, read)), [*map(int, read)]
    while waiting:
        index = waiting.pop()
        maker: Any = makers.get(index)
        added = maker is not None and graphs.operator_name(graph, maker) == "ADD"
        if not added and not keeps_values(graph, maker):
            continue
        for source in map(int, maker.inputs if added else maker.inputs[:1]):
            rows = [graphs.shape_of(tensors[i])[-1:] for i in (source, index)]
            alone = len(graphs.neighbors(graph, source)[1]) == 1
            whole = value_count(graph, source) == value_count(graph, index)
            if whole and alone and rows[0] == rows[1] and (hides(values, source) or not added):
                found.add(source)
                waiting.append(source)
    return found


def masks_in(graph: Any, scores: Collection[int], values: Mapping[int, np.ndarray]) -> set[int]:
    """The tensors that do nothing but hide scores: what is added to them, and what it is made of.

    Args:
        graph: float ModelT.
        scores: indices of tensors, as of `scores_in`.
        values: values of the tensors by their index.
    """
    found: set[int] = set()
    for operator in reversed(graph.subgraphs[0].operators):
        for index in map(int, operator.outputs):
            made = {int(i) for op in graphs.neighbors(graph, index)[1] for i in op.outputs}
            ends = found | {*scores} if hides(values, index) else found
            if index not in scores and made and made <= ends:
                found.add(index)
    return found


def hides(values: Mapping[int, np.ndarray], index: int) -> bool:
    """Whether a tensor has values that no score has unless it is hidden."""
    return index in values and bool(values[index].min() < EXCLUDED)
