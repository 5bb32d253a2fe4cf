"""Files of others, in the form that TFLM computes as TensorFlow Lite does."""

from tfhrf.deploy.foreign.dilation import join_dilations
from tfhrf.deploy.foreign.unsigned import to_signed


def adopt(graph):
    """Whether a ModelT has changed: uint8 becomes int8, blocks of dilated convolutions one."""
    return any([to_signed(graph), join_dilations(graph)])
