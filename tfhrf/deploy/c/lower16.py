"""The table of the 16-bit lowerings. Zero points are 0."""

from tfhrf.deploy.c.operators.attention16 import lower_attention, lower_matmul, lower_softmax
from tfhrf.deploy.c.operators.dense16 import lower_conv, lower_dense, lower_pool
from tfhrf.deploy.c.operators.elementwise16 import lower_elementwise
from tfhrf.deploy.c.operators.movers import MOVERS
from tfhrf.deploy.c.operators.normalization16 import lower_layer_norm, lower_mean

ELEMENTWISE = ["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "LOGISTIC", "TANH", "RSQRT"]
ELEMENTWISE += ["RELU", "LEAKY_RELU", "QUANTIZE", "CLAMP"]
LOWERINGS16 = {
    **MOVERS,
    **dict.fromkeys(ELEMENTWISE, lower_elementwise),
    "FULLY_CONNECTED": lower_dense,
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), lower_conv),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), lower_pool),
    "LAYER_NORM": lower_layer_norm,
    "BATCH_MATMUL": lower_matmul,
    "ATTENTION": lower_attention,
    "MEAN": lower_mean,
    "SOFTMAX": lower_softmax,
}
