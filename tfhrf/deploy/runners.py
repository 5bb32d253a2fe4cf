"""Runs .tflite graphs in TensorFlow Lite Micro, through the kernels of the tflite-micro wheel.

The wheel (x86-64 Linux only) holds TFLM's reference kernels. Their integer results are those of
TFLM on a Cortex-M, so this is where a deployed model is evaluated. It runs in a process beside
this one. Without the wheel there are TensorFlow Lite's own reference kernels. This module loads
TensorFlow for these only.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfhrf.deploy import levels, tflm_process
from tfhrf.deploy.tflm_process import available, load_runtime

# Runs in a process of its own, and tries each arena in a fork: one that is too small can crash the
# interpreter. The allocation figures appear on standard error, from C++. They leave out what TFLM
# borrows while it plans, so the arena is enlarged until the graph runs, and then halved down.
PROBE = """
import os, re, sys, tempfile
import numpy as np
from tflite_micro import runtime

content = sys.stdin.buffer.read()
generous, count = map(int, sys.argv[1:])

def run(arena):
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
    for index in range(count):
        details = interpreter.get_input_details(index)
        interpreter.set_input(np.zeros(details["shape"], details["dtype"]), index)
    interpreter.invoke()
    return interpreter

def suffices(arena):
    child = os.fork()
    if child == 0:
        try:
            run(arena)
        except RuntimeError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

interpreter = run(generous)
with tempfile.TemporaryFile() as file:
    saved = os.dup(2)
    os.dup2(file.fileno(), 2)
    interpreter.print_allocations()
    os.dup2(saved, 2)
    file.seek(0)
    report = file.read().decode()
used = int(re.search(r"Arena allocation total (\\d+) bytes", report).group(1))
low = (used + 15) // 16 - 1
step = 1
while not suffices(16 * (low + step)):
    low += step
    step *= 2
    if 16 * low > generous:
        sys.exit("no arena suffices")
high = low + step
while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if suffices(16 * middle) else (middle, high)
print(16 * high)
"""
PROBE_SECONDS = 120


def invoke(content: bytes, inputs: np.ndarray | Sequence[np.ndarray]) -> Any:
    """Runs one example after the other in one TFLM interpreter.

    Args:
        content: bytes of a .tflite graph.
        inputs: array of shape (examples, ...input shape without the batch) in the graph's own
            input dtype (int8, int16 or float32), or a list of them, one for each graph input. Of
            an input whose first length is not 1 that many rows are an example.

    Returns:
        Array of shape (examples, ...output shape) in the graph's output dtype, or a list of them
        if the graph has several outputs. Of an output whose first length is not 1 that many rows
        belong to an example.

    Raises:
        ImportError: the tflite-micro wheel is missing.
        ValueError: number, shape or dtype of the inputs is wrong.
        RuntimeError: TFLM refuses the graph or fails to run it, or ends its process; what it says
            is quoted.
    """
    load_runtime()
    return tflm_process.call("invoke_here", content, inputs)


def invoke_here(content, inputs):
    """`invoke` in this process, which TFLM may end."""
    interpreter, input_details, output_details = load(content)
    return run(interpreter, input_details, output_details, inputs)


def prepare(content):
    """Has TFLM prepare a graph; whether it does is all that is told."""
    load(content)


def predict(content: bytes, inputs: np.ndarray | Sequence[np.ndarray]) -> Any:
    """`invoke` from floats to floats.

    Integer graphs get their inputs rounded to the input scale and clipped, and their outputs are
    multiplied out again; float graphs are run as they are.

    Args:
        content: bytes of a .tflite graph.
        inputs: float array of shape (examples, ...input shape), or a list of them.

    Returns:
        float32 array of shape (examples, ...output shape), or a list of them.

    Raises:
        ImportError: the tflite-micro wheel is missing.
        ValueError: number or shape of the inputs is wrong.
        RuntimeError: TFLM refuses the graph or fails to run it, or ends its process; what it says
            is quoted.
    """
    load_runtime()
    return tflm_process.call("predict_here", content, inputs)


def predict_here(content, inputs):
    """`predict` in this process, which TFLM may end."""
    interpreter, input_details, output_details = load(content)
    arrays = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    check_count(arrays, input_details)
    quantized = [
        quantize(array, details) for array, details in zip(arrays, input_details, strict=True)
    ]
    outputs = run(interpreter, input_details, output_details, quantized)
    if len(output_details) == 1:
        return dequantize(outputs, output_details[0])
    return [dequantize(y, details) for y, details in zip(outputs, output_details, strict=True)]


def arena_bytes(content: bytes) -> int:
    """The least arena in which TFLM runs a graph, found by running it.

    Returns:
        Bytes, a multiple of 16, on a machine with 64-bit pointers and reference kernels. On a
        32-bit Cortex-M the same graph needs less.

    Raises:
        ImportError: the tflite-micro wheel is missing.
        RuntimeError: TFLM refuses the graph or fails to run it.
    """
    graph = load_runtime().convert_bytearray_to_object(content)
    inputs = len(graph.subgraphs[0].inputs)
    result = subprocess.run(
        [sys.executable, "-c", PROBE, str(generous_arena(graph)), str(inputs)],
        input=content,
        capture_output=True,
        timeout=PROBE_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(
            "TensorFlow Lite Micro failed to run the graph. Received: exit status "
            f"{result.returncode}, {last_line(result.stderr.decode(errors='replace'))}"
        )
    return int(result.stdout)


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


def load(content):
    """A TFLM interpreter and the details of its inputs and outputs."""
    runtime = load_runtime()
    graph = runtime.convert_bytearray_to_object(content)
    try:
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=generous_arena(graph))
    except RuntimeError as error:
        raise RuntimeError(f"TensorFlow Lite Micro refuses the graph. Received: {error}") from error
    subgraph = graph.subgraphs[0]
    inputs = [interpreter.get_input_details(i) for i in range(len(subgraph.inputs))]
    outputs = [interpreter.get_output_details(i) for i in range(len(subgraph.outputs))]
    return interpreter, inputs, outputs


def generous_arena(graph):
    """Bytes that hold every tensor at once, with room for what operators keep."""
    subgraph = graph.subgraphs[0]
    sizes = [4 * int(np.prod(t.shape)) for t in subgraph.tensors if t.shape is not None]
    return 2**20 + 2 * sum(sizes) + 4096 * len(subgraph.operators)


def run(interpreter, input_details, output_details, inputs):
    arrays = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    check_count(arrays, input_details)
    arrays = [np.atleast_1d(array) for array in arrays]
    examples = count_examples(arrays, input_details)
    found: list[list] = [[] for _ in output_details]
    for example in range(examples):
        for index, (array, details) in enumerate(zip(arrays, input_details, strict=True)):
            rows = shape_of(details)[0]
            part = array[example * rows : (example + 1) * rows]
            interpreter.set_input(np.ascontiguousarray(part).reshape(details["shape"]), index)
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise RuntimeError(
                f"TensorFlow Lite Micro failed on example {example}. Received: {error}"
            ) from error
        for index, details in enumerate(output_details):
            found[index].append(interpreter.get_output(index).reshape(shape_of(details)).copy())
    outputs = [
        np.concatenate(parts) if parts else np.empty((0, *shape_of(details)[1:]), details["dtype"])
        for parts, details in zip(found, output_details, strict=True)
    ]
    return outputs[0] if len(outputs) == 1 else outputs


def count_examples(arrays, input_details):
    """How many examples arrays hold; ValueError unless they are of the graph's inputs."""
    counts = []
    for array, details in zip(arrays, input_details, strict=True):
        shape, dtype = shape_of(details), np.dtype(details["dtype"])
        fits = array.shape[1:] == shape[1:] and len(array) % shape[0] == 0
        if not fits or array.dtype != dtype:
            several = "examples" if shape[0] == 1 else f"{shape[0]} * examples"
            raise ValueError(
                f"`inputs` must have shape {(several, *shape[1:])} and dtype {dtype} for a graph "
                f"input of shape {shape}. Received: {array.shape}, {array.dtype}"
            )
        counts.append(len(array) // shape[0])
    if len(set(counts)) != 1:
        raise ValueError(f"All inputs must have the same number of examples. Received: {counts}")
    return counts[0]


def shape_of(details):
    """The shape of a graph's input or output; that of a single value is (1,)."""
    return tuple(int(n) for n in details["shape"]) or (1,)


def check_count(arrays, input_details):
    if len(arrays) != len(input_details):
        raise ValueError(
            f"The graph has {len(input_details)} inputs. Received: {len(arrays)} arrays"
        )


def scale_and_zero_point(details):
    parameters = details["quantization_parameters"]
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])


def quantize(values, details):
    """Floats in the dtype of a tensor, whose details an interpreter gives."""
    dtype = np.dtype(details["dtype"])
    # Of tokens there is no scale.
    if dtype.kind == "f" or dtype == np.int32:
        return np.asarray(values, dtype)
    scale, zero_point = scale_and_zero_point(details)
    return levels.quantize(values, scale, zero_point, dtype)


def dequantize(values, details):
    """A tensor's values as float32; tokens and places as they are."""
    if values.dtype.kind == "f" or values.dtype == np.int32:
        return values
    scale, zero_point = scale_and_zero_point(details)
    return levels.dequantize(values, scale, zero_point)


def run_reference(content: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs of TensorFlow Lite's reference kernels for one example.

    Args:
        content: bytes of a .tflite graph.
        inputs: list of arrays, one for each graph input, in its dtype.

    Returns:
        List of arrays.
    """
    # Here, because TensorFlow takes seconds to load.
    from tfhrf.deploy.tflite.interpreter import make_interpreter

    interpreter = make_interpreter(content)
    for details, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return [
        interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()
    ]


def predict_reference(content: bytes, inputs: np.ndarray | Sequence[np.ndarray]) -> Any:
    """`predict` by TensorFlow Lite's reference kernels."""
    from tfhrf.deploy.tflite.interpreter import make_interpreter

    interpreter = make_interpreter(content)
    given, found = interpreter.get_input_details(), interpreter.get_output_details()
    arrays = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    check_count(arrays, given)
    quantized = [quantize(values, one) for values, one in zip(arrays, given, strict=True)]
    results: list[list] = [[] for _ in found]
    for example in zip(*quantized, strict=True):
        for one, values in zip(given, example, strict=True):
            interpreter.set_tensor(one["index"], values[None])
        interpreter.invoke()
        for one, outputs in zip(found, results, strict=True):
            outputs.append(interpreter.get_tensor(one["index"])[0])
    several = [dequantize(np.stack(y), one) for y, one in zip(results, found, strict=True)]
    return several if len(several) > 1 else several[0]


def predictor() -> Callable[..., Any]:
    """`predict`, or `predict_reference` where the tflite-micro wheel is missing."""
    return predict if available() else predict_reference


def input_shape(content: bytes) -> tuple[int, ...]:
    """The shape of a graph's first input without the batch."""
    if available():
        graph = load_runtime().convert_bytearray_to_object(content).subgraphs[0]
        shape = graph.tensors[graph.inputs[0]].shape
    else:
        from tfhrf.deploy.tflite.interpreter import make_interpreter

        shape = make_interpreter(content).get_input_details()[0]["shape"]
    return tuple(int(size) for size in shape[1:])


def run_golden(content: bytes, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], bool]:
    """Outputs of one example by TFLM, or where its wheel is missing by the reference kernels.

    Args:
        content, inputs: as of `run_reference`.

    Returns:
        (list of arrays, whether TFLM computed them).
    """
    if not available():
        return run_reference(content, inputs), False
    outputs = invoke(content, inputs)
    return outputs if isinstance(outputs, list) else [outputs], True
