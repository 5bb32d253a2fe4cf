"""Joins operators of a quantized graph where the joint result is the same, bit by bit.

- TABLE: joined with the operator before it.
- LAYER_NORM: mean, difference, squares, variance, RSQRT, product.
- ATTENTION: product of queries and keys, SOFTMAX, product with values.
"""

import numpy as np

from tfhrf.deploy.c.ir import BINARY, Operator, activation, is_narrow, product_scale, shrinks
from tfhrf.deploy.c.simplify import IDENTITY, look_up, scalar

# Operators whose kernels look their results up in a table at the end.
WITH_TABLE = BINARY | {"ATTENTION", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"}
WITH_TABLE |= {"FULLY_CONNECTED", "LAYER_NORM", "TABLE", "TRANSPOSE_CONV"}
# What may compute the scores of attention before something is added to them.
SCORES = ("TABLE", "MUL", "BATCH_MATMUL")


def fuse(graph):
    """Changes a Graph in place."""
    for operator in [op for op in graph.operators if op.name == "MUL"]:
        fuse_layer_norm(graph, operator)
    for operator in [op for op in graph.operators if op.name == "SOFTMAX"]:
        fuse_attention(graph, operator)
    for operator in [op for op in graph.operators if op.name == "TABLE"]:
        append_table(graph, operator)


def only_consumer(graph, tensor):
    """The one operator that reads a tensor, if there is one and the tensor is no output."""
    readers = graph.consumers(tensor)
    inner = not any(tensor is output for output in graph.kept)
    return readers[0] if len(readers) == 1 and inner else None


def append_table(graph, operator):
    """Lets the operator before a TABLE look its results up."""
    source = operator.inputs[0]
    before = graph.producer(source)
    if before is None or before.name not in WITH_TABLE or only_consumer(graph, source) is None:
        return
    before.extra["table"] = look_up(operator.extra["table"], before.extra.get("table", IDENTITY))
    if "through" not in before.extra:
        before.extra["through"] = before.output
    before.outputs = operator.outputs
    graph.operators.remove(operator)


def raw_output(operator):
    """The tensor that an operator computes before it looks its results up."""
    return operator.extra.get("through", operator.output)


def last_axis(operator):
    """Whether a MEAN runs over the last axis only."""
    rank = len(operator.inputs[0].shape)
    axes = {int(axis) % rank for axis in np.ravel(operator.inputs[1].data)}
    return axes == {rank - 1}


def before_reshapes(graph, tensor, gone):
    """What computes a tensor, RESHAPEs passed over; those are added to `gone`."""
    producer = graph.producer(tensor)
    while producer is not None and producer.name == "RESHAPE":
        gone.append(producer)
        producer = graph.producer(producer.inputs[0])
    return producer


def is_named(operator, name):
    return operator is not None and operator.name == name


def fuse_layer_norm(graph, product):
    """Joins a MUL with what computes its second factor, if that is a LayerNormalization."""
    difference, inverse = product.inputs
    if difference.shape[:-1] != inverse.shape[:-1] or inverse.shape[-1:] != (1,):
        return
    subtract = graph.producer(difference)
    if not is_named(subtract, "SUB") or subtract.extra:
        return
    x, average = subtract.inputs
    mean = graph.producer(average)
    if not is_named(mean, "MEAN") or mean.inputs[0] is not x or not last_axis(mean):
        return
    gone = [mean, subtract, product]
    find = inverse_deviation if product.output.dtype == "int8" else inverse_deviation16
    extra = find(graph, subtract, product, gone)
    if extra is not None:
        extra.update(mean=mean, subtract=subtract, product=product)
        join(graph, gone, Operator("LAYER_NORM", [x], product.outputs, extra=extra))


def inverse_deviation(graph, subtract, product, gone):
    """What computes a layer normalization's second factor: a dict, or None if it is another.

    What is found is added to `gone`. TABLEs are RSQRT and what is added before it.
    """
    difference, inverse = product.inputs
    producer = graph.producer(inverse)
    table = None
    while producer is not None and producer.name in ("TABLE", "RESHAPE"):
        if producer.name == "TABLE":
            own = producer.extra["table"]
            table = own if table is None else look_up(table, own)
        gone.append(producer)
        producer = graph.producer(producer.inputs[0])
    if producer is None or table is None:
        return None
    gone.append(producer)
    extra = {"inverse_table": table, "inverse": inverse, "difference": difference}
    extra["variance"] = producer
    if is_product_with_itself(producer, difference):
        return extra if before_reshapes(graph, producer.inputs[0], gone) is subtract else None
    if producer.name != "MEAN" or not last_axis(producer):
        return None
    squares = graph.producer(producer.inputs[0])
    if not is_named(squares, "TABLE") or squares.inputs[0] is not difference:
        return None
    gone.append(squares)
    extra["squares_table"] = squares.extra["table"]
    return extra


def is_product_with_itself(operator, difference):
    """Whether an operator computes the sum of squares of each row of a difference."""
    if not is_named(operator, "BATCH_MATMUL") or not operator.options.adjY:
        return False
    row, other = operator.inputs
    return row is other and row.shape[-2:] == (1, difference.shape[-1])


def inverse_deviation16(graph, subtract, product, gone):
    """The same for 16 bits, where RSQRT and what is added before it are no tables."""
    difference, inverse = product.inputs
    root = before_reshapes(graph, inverse, gone)
    if not is_named(root, "RSQRT"):
        return None
    add = before_reshapes(graph, root.inputs[0], gone)
    if not is_named(add, "ADD") or scalar(add.inputs[1]) is None:
        return None
    variance = before_reshapes(graph, add.inputs[0], gone)
    if not is_product_with_itself(variance, difference):
        return None
    if before_reshapes(graph, variance.inputs[0], gone) is not subtract:
        return None
    epsilon = scalar(add.inputs[1])
    plain = all(activation(op) == "NONE" for op in (subtract, add, product))
    # RSQRT of a negative value is an error that the joint kernel does not look for.
    if not plain or epsilon < 0 or not shrinks(subtract) or not shrinks(product):
        return None
    gone += [root, add, variance]
    return {"variance": variance, "epsilon": epsilon, "add": add, "root": root}


def join(graph, gone, new):
    """Puts one operator in the place of several, the last of which has its outputs.

    Leaves the graph as it is where something else reads what the others compute.
    """
    last = graph.producer(new.output)
    made = {id(t) for op in gone if op is not last for t in op.outputs}
    readers = [op for op in graph.operators if any(id(t) in made for t in op.inputs)]
    if any(all(op is not other for other in gone) for op in readers):
        return
    if any(id(t) in made for t in graph.kept):
        return
    graph.operators[graph.operators.index(last)] = new
    graph.operators = [op for op in graph.operators if all(op is not other for other in gone)]


def fits_attention(softmax, product):
    """Whether 32 bits hold the sums of 16-bit values weighted by probabilities.

    Probabilities are rounded to 15 bits: n of them sum up to less than 32,900 + n / 2.
    """
    if softmax.output.dtype == "int8":
        return True
    return is_narrow(*product_scale(product)) and softmax.output.shape[-1] < 60000


def is_factor(operator):
    """Whether a 16-bit MUL multiplies by one value whose double has 16 bits."""
    value = scalar(operator.inputs[1])
    plain = value not in (None, 0, -32768) and activation(operator) == "NONE"
    return plain and shrinks(operator)


def fuse_attention(graph, softmax):
    """Joins a SOFTMAX with the matrix products before and after it."""
    scores, weights = softmax.inputs[0], softmax.output
    product = only_consumer(graph, weights)
    if only_consumer(graph, scores) is None or not is_named(product, "BATCH_MATMUL"):
        return
    if product.inputs[0] is not weights or product.options.adjX:
        return
    if not fits_attention(softmax, product):
        return
    extra: dict = {"softmax": softmax, "product": product}
    producer = before_sum(graph, graph.producer(scores), extra)
    producer = before_factor(graph, producer, extra)
    if not is_named(producer, "BATCH_MATMUL") or producer.options.adjX:
        return
    extra["scores"] = producer
    inputs = [*producer.inputs, product.inputs[1]]
    if "add" in extra:
        inputs.append(extra["add"].inputs[1 - extra["position"]])
    parts = ("scores", "scaled", "add", "softmax", "product")
    gone = [extra[part] for part in parts if part in extra]
    join(graph, gone, Operator("ATTENTION", inputs, product.outputs, extra=extra))


def before_sum(graph, operator, extra):
    """What computes the scores to which an ADD adds; the operator itself if it is no such ADD."""
    if not is_named(operator, "ADD") or (
        operator.output.dtype == "int16" and not shrinks(operator)
    ):
        return operator
    for position, raw in enumerate(operator.inputs):
        before = graph.producer(raw)
        if before is None or before.name not in SCORES or operator.output.shape != raw.shape:
            continue
        if only_consumer(graph, raw) is not None:
            extra.update(add=operator, position=position)
            return before
    return operator


def before_factor(graph, operator, extra):
    """What computes the scores that an operator scales, the operator if it does not, or None."""
    if operator is None or operator.name not in ("TABLE", "MUL"):
        return operator
    if only_consumer(graph, operator.inputs[0]) is None:
        return None
    if operator.name == "TABLE":
        extra["scores_table"] = operator.extra["table"]
    elif is_factor(operator):
        extra.update(factor=operator, factor_value=scalar(operator.inputs[1]))
    else:
        return None
    extra["scaled"] = operator
    return graph.producer(operator.inputs[0])
