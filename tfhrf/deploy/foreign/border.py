"""The border of a graph: float or uint8 inputs and outputs around integer ones.

TensorFlow Lite's converter puts QUANTIZE behind inputs and DEQUANTIZE or QUANTIZE before outputs
where it is not told otherwise.
"""

from tfhrf.deploy.tflite import graph as graphs

OUTSIDE = ("float32", "uint8")


def strip_border(graph):
    """Makes integer inputs and outputs of a ModelT's others, in place, where that is exact.

    Returns whether there were others.

    An input is exchanged if only QUANTIZE operators with one scale read it, an output if QUANTIZE
    or DEQUANTIZE makes it of integers and nothing else reads it.
    """
    subgraph = graph.subgraphs[0]
    tensors = subgraph.tensors
    outside = {graphs.type_name(tensors[i]) for i in (*subgraph.inputs, *subgraph.outputs)}
    if not outside.intersection(OUTSIDE):
        return False
    for place, index in enumerate(subgraph.inputs):
        _, readers = graphs.neighbors(graph, index)
        names = {graphs.operator_name(graph, reader) for reader in readers}
        if graphs.type_name(tensors[index]) not in OUTSIDE or names != {"QUANTIZE"}:
            continue
        inner = [int(reader.outputs[0]) for reader in readers]
        kinds = [tuple(graphs.describe(tensors[i]).values())[1:] for i in inner]
        if index in subgraph.outputs or len(set(kinds)) > 1:
            continue
        subgraph.inputs[place] = inner[0]
        for operator in subgraph.operators:
            operator.inputs = [inner[0] if i in inner else i for i in operator.inputs]
        subgraph.outputs = [inner[0] if i in inner else i for i in subgraph.outputs]
        subgraph.operators = [o for o in subgraph.operators if all(o is not r for r in readers)]
    for place, index in enumerate(subgraph.outputs):
        producer, readers = graphs.neighbors(graph, index)
        if graphs.type_name(tensors[index]) not in OUTSIDE or readers or producer is None:
            continue
        if graphs.operator_name(graph, producer) in ("QUANTIZE", "DEQUANTIZE"):
            subgraph.outputs[place] = producer.inputs[0]
    graphs.drop_unread(graph)
    graph.signatureDefs = []
    graphs.drop_unused_tensors(graph)
    graphs.drop_unused_codes(graph)
    return True
