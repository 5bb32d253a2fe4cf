"""Convolutions and pools of three dimensions by those of two, which TensorFlow Lite Micro has."""

import functools

import tensorflow as tf

POOLS = {"AvgPool3D": tf.nn.avg_pool2d, "MaxPool3D": tf.nn.max_pool2d}


def flattened(operation):
    """A function that computes what an operation on one volume does, or None if it is another."""
    if operation.type not in ("Conv3D", *POOLS):
        return None
    shapes = [x.shape for x in operation.inputs]
    known = all(shape.is_fully_defined() for shape in shapes) and shapes[0][0] == 1
    if not known or operation.get_attr("data_format") != b"NDHWC":
        return None
    settings = {"strides": operation.get_attr("strides")[1:4]}
    settings["padding"] = operation.get_attr("padding").decode()
    if operation.type == "Conv3D":
        if shapes[0][-1] != shapes[1][-2]:
            return None
        return functools.partial(
            convolve, dilations=operation.get_attr("dilations")[1:4], **settings
        )
    size = operation.get_attr("ksize")[1:4]
    return functools.partial(pool, find=POOLS[operation.type], size=size, **settings)


def convolve(x, kernel, *, strides, padding, dilations):
    """Pictures that a window of depth sees lie side by side in channels."""
    _, depth, *size, channels = x.shape
    reach = (kernel.shape[0] - 1) * dilations[0] + 1
    pictures = tf.reshape(x, (depth, *size, channels))
    if padding == "SAME":
        count = -(-depth // strides[0])
        beyond = max(0, (count - 1) * strides[0] + reach - depth)
        pictures = tf.pad(pictures, ((beyond // 2, beyond - beyond // 2), *[(0, 0)] * 3))
    else:
        count = (depth - reach) // strides[0] + 1
    last = (count - 1) * strides[0] + 1
    firsts = range(0, reach, dilations[0])
    seen = tf.concat([pictures[at : at + last : strides[0]] for at in firsts], -1)
    _, *window, _, filters = kernel.shape
    flat = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3, 4)), (*window, -1, filters))
    found = tf.nn.conv2d(seen, flat, strides[1:], padding, dilations=dilations[1:])
    return found[None]


def pool(x, *, find, size, strides, padding):
    """Over pictures first, then over depth: of means of as many values each."""
    _, depth, *_, channels = x.shape
    pictures = find(x[0], size[1:], strides[1:], padding)
    lines = tf.reshape(pictures, (1, depth, -1, channels))
    found = find(lines, (size[0], 1), (strides[0], 1), padding)
    return tf.reshape(found, (1, found.shape[1], *pictures.shape[1:]))
