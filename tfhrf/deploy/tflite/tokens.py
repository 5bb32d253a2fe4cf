"""Inputs that are places in tables, as those of Embedding layers: int32, as TFLM's GATHER needs."""

import numpy as np

from tfhrf.deploy.tflite.graph import (
    VIEWS,
    add_constant,
    constant_array,
    drop_unread,
    drop_unused_codes,
    drop_unused_tensors,
    input_number,
    is_constant,
    make_constant,
    make_operator,
    neighbors,
    operator_name,
    place_finder,
    replace,
    shape_of,
    tensor_name,
    token_count,
    type_name,
)
from tfhrf.deploy.tflite.schema import schema


def take_tokens(graph):
    """Rewrites a graph in place: no negative places, and no casts behind inputs.

    Returns whether there were any, or places of 64 bits.
    """
    subgraph, found = graph.subgraphs[0], False
    for operator in [op for op in subgraph.operators if operator_name(graph, op) == "ONE_HOT"]:
        look_row_up(graph, operator)
    for operator in subgraph.operators:
        if operator_name(graph, operator) == "GATHER":
            found |= skip_negative(graph, operator)
    drop_unread(graph)
    for place, index in enumerate(subgraph.inputs):
        readers = neighbors(graph, int(index))[1]
        names = [operator_name(graph, reader) for reader in readers]
        # Levels of 8 bits are cast to places in tables of functions.
        if names == ["CAST"] and type_name(subgraph.tensors[index]) not in ("int8", "int16"):
            exchange_input(graph, place, readers[0])
            found = True
    for operator in subgraph.operators:
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and is_place(subgraph.tensors[index]):
                narrow(graph, int(index))
                found = True
    drop_unused_tensors(graph)
    drop_unused_codes(graph)
    return found


def look_row_up(graph, one_hot):
    """Makes a GATHER of a ONE_HOT of tokens in floats, which TFLM has not."""
    tokens, *ends = map(int, one_hot.inputs)
    tensors = graph.subgraphs[0].tensors
    last = one_hot.builtinOptions.axis in (-1, len(shape_of(tensors[tokens])))
    fixed = all(is_constant(graph, tensors[index]) for index in ends)
    floats = type_name(tensors[one_hot.outputs[0]]) == "float32"
    if not (last and fixed and floats) or place_finder(graph, tokens) is not None:
        return
    count, on, off = (constant_array(graph, index) for index in ends)
    table = add_constant(graph, np.where(np.eye(int(count)) > 0, on, off), "table")
    inputs, options = [table, as_integers(graph, tokens)], schema.GatherOptionsT()
    replace(graph, one_hot, [make_operator(graph, "GATHER", options, inputs, one_hot.outputs)])


def as_integers(graph, tokens):
    """The tensor before a CAST of tokens that another CAST had made floats, integers again."""
    tensors = graph.subgraphs[0].tensors
    cast, way = neighbors(graph, tokens)[0], [tokens]
    producer = cast
    while producer is not None and operator_name(graph, producer) in VIEWS | {"CAST"}:
        if any(len(neighbors(graph, index)[1]) > 1 for index in way):
            break
        way.append(int(producer.inputs[0]))
        if producer is not cast and type_name(tensors[way[-1]]) in ("int32", "int64"):
            for index in way[1:-1]:
                tensors[index].type = schema.TensorType.INT32
            return way[1]
        producer = neighbors(graph, way[-1])[0]
    return tokens


def is_place(tensor):
    """Whether a tensor has 64 bits and is no bias, which has a scale."""
    quantization = tensor.quantization
    return type_name(tensor) == "int64" and (quantization is None or quantization.scale is None)


def narrow(graph, index):
    """Makes 32 bits of a tensor's 64."""
    tensor = graph.subgraphs[0].tensors[index]
    if is_constant(graph, tensor):
        make_constant(graph, index, constant_array(graph, index).astype(np.int32))
    tensor.type = schema.TensorType.INT32


def skip_negative(graph, gather):
    """Lets a GATHER read places themselves: Keras counts negative ones from the end.

    Returns whether it did not.
    """
    select = neighbors(graph, gather.inputs[1])[0]
    if select is None or operator_name(graph, select) not in ("SELECT", "SELECT_V2"):
        return False
    condition, other, places = (int(index) for index in select.inputs)
    less, add = neighbors(graph, condition)[0], neighbors(graph, other)[0]
    named = [op is not None and operator_name(graph, op) for op in (less, add)]
    if named == ["LESS", "ADD"] and less.inputs[0] == add.inputs[0] == places:
        gather.inputs[1] = places
        return True
    return False


def exchange_input(graph, place, cast):
    """Makes what a CAST makes of an input the input."""
    subgraph = graph.subgraphs[0]
    old, new = int(subgraph.inputs[place]), int(cast.outputs[0])
    subgraph.tensors[new].name = tensor_name(subgraph.tensors[old])
    subgraph.inputs[place] = new
    subgraph.operators = [op for op in subgraph.operators if op is not cast]
    for signature in graph.signatureDefs or ():
        for entry in signature.inputs or ():
            if entry.tensorIndex == old:
                entry.tensorIndex = new


def check_tokens(graph, examples):
    """Raises ValueError where examples of places lie outside of the table.

    Args:
        graph: float ModelT, its inputs with the names that `freeze` gave them.
        examples: list with one float32 array for each model input.
    """
    for index in graph.subgraphs[0].inputs:
        count = token_count(graph, int(index))
        name = tensor_name(graph.subgraphs[0].tensors[index])
        values = examples[input_number(name)]
        if count and ((values != np.floor(values)) | (values < 0) | (values >= count)).any():
            raise ValueError(
                f"`representative_data` of tokens must be integers from 0 to {count - 1}. "
                f"Received: values in [{values.min()}, {values.max()}]"
            )
