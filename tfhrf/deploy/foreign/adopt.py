"""Files of others, in the form that TFLM computes as TensorFlow Lite does."""

from tfhrf.deploy.foreign.islands import look_up_islands
from tfhrf.deploy.foreign.shapes import settle_shapes
from tfhrf.deploy.foreign.unsigned import to_signed
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.dilation import join_dilations
from tfhrf.deploy.tflite.missing_operators import replace_missing
from tfhrf.deploy.tflite.ranges import scale_zeros
from tfhrf.deploy.tflite.tokens import take_tokens


def adopt(graph):
    """Whether a ModelT has changed; one that TFLM computes as it is has not.

    Raises:
        ValueError: it cannot be brought into that form; the message says why.
    """
    changed = [step(graph) for step in STEPS]
    return any(changed)


def repeat_by_joining(graph):
    """Whether a ModelT had TILE, which TFLM has not: CONCATENATION now."""
    subgraph = graph.subgraphs[0]
    if all(graphs.operator_name(graph, operator) != "TILE" for operator in subgraph.operators):
        return False
    replace_missing(graph)
    for operator in subgraph.operators:
        if graphs.operator_name(graph, operator) == "CONCATENATION":
            parts = [subgraph.tensors[index] for index in (operator.inputs[0], operator.outputs[0])]
            parts[1].quantization = parts[1].quantization or parts[0].quantization
    return True


STEPS = (
    scale_zeros,
    settle_shapes,
    to_signed,
    join_dilations,
    take_tokens,
    look_up_islands,
    repeat_by_joining,
)
