"""Shapes that a file computes of an open number of examples, settled for one.

Where the number is left open, TensorFlow's converter has SHAPE, STRIDED_SLICE, PACK and the like
make the shapes that RESHAPE takes; the shapes that stand in the file may be other ones.
"""

import numpy as np

from tfhrf.deploy import tflm_process
from tfhrf.deploy.tflite import graph as graphs


def settle_shapes(graph):
    """Whether a ModelT computed shapes or left some open, which stand in it now.

    Raises:
        ValueError: TensorFlow Lite cannot run it.
    """
    known, folded = computed_shapes(graph)
    subgraph = graph.subgraphs[0]
    if len(graph.subgraphs) > 1 or not (folded or has_open(graph)):
        return False
    made = [int(index) for operator in subgraph.operators for index in operator.outputs]
    outputs = subgraph.outputs
    try:
        # All that is computed as outputs, of one example of zeros.
        subgraph.outputs, signatures, graph.signatureDefs = made, graph.signatureDefs, []
        content = graphs.write(graph)
        zeros = [zeros_of(subgraph.tensors[index]) for index in subgraph.inputs]
        values = tflm_process.call("run_reference", content, zeros)
    except (RuntimeError, ValueError) as error:
        # What the process beside ended over was not TFLM.
        reason = str(error).replace("TensorFlow Lite Micro ended", "it ended")
        raise ValueError(
            "The file computes shapes, and TensorFlow Lite cannot run an example to find them. "
            f"Received: {reason}"
        ) from error
    finally:
        subgraph.outputs, graph.signatureDefs = outputs, signatures
    for index, value in zip(made, values, strict=True):
        tensor = subgraph.tensors[index]
        tensor.shape, tensor.shapeSignature = np.array(value.shape, np.int32), None
        if index in known:
            graphs.make_constant(graph, index, value)
    subgraph.operators = [op for op in subgraph.operators if all(op is not f for f in folded)]
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)
    return True


def computed_shapes(graph):
    """(tensors that shapes, or places that are constants, make; the operators that do)."""
    subgraph = graph.subgraphs[0]
    outputs = {int(index) for index in subgraph.outputs}
    known: set[int] = set()
    folded: list = []
    for operator in subgraph.operators:
        read = [int(index) for index in operator.inputs if index >= 0]
        results = {int(index) for index in operator.outputs}
        fixed = [i in known or graphs.is_constant(graph, subgraph.tensors[i]) for i in read]
        shape = graphs.operator_name(graph, operator) == "SHAPE"
        kinds = {graphs.type_name(subgraph.tensors[index]) for index in results}
        places = any(i in known for i in read) or (read and kinds <= {"int32", "int64"})
        if (shape or (places and all(fixed))) and not results & outputs:
            known |= results
            folded.append(operator)
    return known, folded


def has_open(graph):
    """Whether a shape is open elsewhere than in the number of examples, or counts blocks."""
    subgraph = graph.subgraphs[0]
    names = {graphs.operator_name(graph, operator) for operator in subgraph.operators}
    signatures = [tensor.shapeSignature for tensor in subgraph.tensors]
    later = any(s is not None and any(n < 0 for n in list(s)[1:]) for s in signatures)
    return later or ("SPACE_TO_BATCH_ND" in names and graphs.any_batch(graph))


def zeros_of(tensor):
    return np.zeros(graphs.shape_of(tensor), graphs.type_name(tensor))
