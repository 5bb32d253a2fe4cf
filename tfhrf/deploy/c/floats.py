"""C functions between floats and a model's integers, as TensorFlow Lite Micro converts them."""

import numpy as np

from tfhrf.deploy.c_text import c_float

QUANTIZE = """\
/* Real values as {word}: rounded, halves away from zero, cut off at the ends of the range. */
static inline void {function}(const float *from, {ctype} *to)
{{
    for (int32_t i = 0; i < {count}; ++i) {{
        const float steps = from[i] / {scale};
        const float low = steps > {low}.0F ? steps : {low}.0F;
        const float cut = low < {high}.0F ? low : {high}.0F;
        const int32_t whole = (int32_t)cut;
        const float rest = cut - (float)whole;
        const int32_t level = whole + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0) + {zero};
        to[i] = ({ctype})(level < {least} ? {least} : level > {most} ? {most} : level);
    }}
}}
"""
DEQUANTIZE = """\
/* {word} as real values. */
static inline void {function}(const {ctype} *from, float *to)
{{
    for (int32_t i = 0; i < {count}; ++i) {{
        to[i] = {scale} * (float)(from[i] - {zero});
    }}
}}
"""


def conversions(name, report):
    """Lines of NAME_quantize for each input and NAME_dequantize for each output."""
    lines: list[str] = []
    for text, verb, kind in (
        (QUANTIZE, "quantize", "inputs"),
        (DEQUANTIZE, "dequantize", "outputs"),
    ):
        for position, tensor in enumerate(report[kind]):
            if tensor["scale"] is None:
                continue
            number = position if len(report[kind]) > 1 else ""
            limits = np.iinfo(tensor["dtype"])
            zero = tensor["zero_point"]
            made = text.format(
                word=f"{kind[:-1]}{f' {number}' if number != '' else ''}",
                function=f"{name}_{verb}{number}",
                ctype=f"{tensor['dtype']}_t",
                count=int(np.prod(tensor["shape"])),
                scale=c_float(tensor["scale"]),
                # Far enough out to be cut off after the zero point is added.
                low=-2 * (limits.max + 1),
                high=2 * (limits.max + 1),
                zero=f"({zero})",
                least=limits.min,
                most=limits.max,
            )
            lines += made.split("\n")
    return lines
