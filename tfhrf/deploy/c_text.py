"""What generated C and C++ sources share: names, labels, golden examples, literals."""

import re

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import make_interpreter

# Keywords and alternative tokens of C (up to C23) and C++ (up to C++23), then names that are
# macros in common headers or would hide a namespace the sources use.
RESERVED_WORDS = """
    alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor
    bool break case catch char char8_t char16_t char32_t class compl concept const consteval
    constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do
    double dynamic_cast else enum explicit export extern false final float for friend goto if
    import inline int long module mutable namespace new noexcept not not_eq nullptr operator or
    or_eq override private protected public reflexpr register reinterpret_cast requires restrict
    return short signed sizeof static static_assert static_cast struct switch synchronized
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union
    unsigned using virtual void volatile wchar_t while xor xor_eq
    EOF NULL assert errno linux main offsetof setjmp stderr stdin stdout unix
    std tflite tfhrf
"""
RESERVED = frozenset(RESERVED_WORDS.split())


def check_name(name):
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            "`name` must be a C identifier: letters, digits and underscores, beginning with a "
            f"letter. Received: {name!r}"
        )
    if name in RESERVED or "__" in name:
        raise ValueError(f"`name` is reserved in C or C++; choose another. Received: {name!r}")


def check_labels(labels, outputs):
    if labels is None:
        return None
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"`labels` must be a list of strings. Received: {labels!r}")
    labels = list(labels)
    count = int(np.prod(outputs[0]["shape"]))
    if len(outputs) != 1 or len(labels) != count:
        raise ValueError(
            f"`labels` needs one name for each of the {count} values of the graph's one output. "
            f"Received: {len(labels)} labels, {len(outputs)} outputs"
        )
    for label in labels:
        if not label or "\0" in label or labels.count(label) > 1:
            raise ValueError(
                f"Each of `labels` must be a unique, non-empty string without NUL. "
                f"Received: {label!r}"
            )
    return labels


def describe(tensor):
    dtype = graphs.type_name(tensor)
    quantization = tensor.quantization
    quantized = dtype in ("int8", "int16")
    return {
        "shape": graphs.shape_of(tensor),
        "dtype": dtype,
        "scale": float(quantization.scale[0]) if quantized else None,
        "zero_point": int(quantization.zeroPoint[0]) if quantized else None,
    }


def golden_input(tensor, seed):
    """One reproducible random example, spread over the range of the input."""
    values = np.random.default_rng(seed).standard_normal(tensor["shape"])
    dtype = np.dtype(tensor["dtype"])
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    levels = np.round(values * (limits.max / 3)) + tensor["zero_point"]
    return np.clip(levels, limits.min, limits.max).astype(dtype)


def run_reference(content, inputs):
    """Outputs of TensorFlow Lite's reference kernels for one example."""
    interpreter = make_interpreter(content)
    for details, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return [
        interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()
    ]


def wrapped(values, width):
    return [
        "    " + ", ".join(values[start : start + width]) + ","
        for start in range(0, len(values), width)
    ]


def c_float(value):
    """A C literal that reads back as the same float32."""
    text = f"{float(np.float32(value)):.9g}"
    return f"{text}F" if any(mark in text for mark in ".e") else f"{text}.0F"


def c_string(text):
    """A C string literal of the text's UTF-8 bytes."""

    def escape(byte):
        # Three octal digits end where a hexadecimal escape would run on; ? could begin a trigraph.
        if byte in b'\\"?' or not 32 <= byte < 127:
            return f"\\{byte:03o}"
        return chr(byte)

    return '"' + "".join(map(escape, text.encode())) + '"'
