"""`to_c`: an integer .tflite graph as C99 sources, in stages of one module each."""

import os
from collections.abc import Sequence
from typing import Any

from tfhrf.deploy import runners
from tfhrf.deploy.c import emit, emit_state, floats, fuse, ir, memory, simplify, state
from tfhrf.deploy.c.lower import lower
from tfhrf.deploy.c_text import check_labels, check_name, golden_input
from tfhrf.deploy.foreign import border
from tfhrf.deploy.foreign.adopt import adopt
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.files import write_together


def to_c(
    tflite_bytes: bytes,
    directory: str | os.PathLike[str],
    *,
    name: str = "model",
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Writes C99 sources that compute an integer graph, bit for bit as TensorFlow Lite Micro does.

    - NAME.h: the functions `NAME_invoke` and `NAME_invoke_in` (in the caller's memory), and shape,
      scale and zero point of each input and output, the label names, and the bytes of memory, as
      constants; `NAME_quantize` and `NAME_dequantize`, as TFLM converts from and to floats.
    - NAME.c: weights, tables and the calls of the kernels.
    - NAME_golden.h: an input and the output that belongs to it, to test a device with.
    - tfhrf_*.h: the kernels that the graph needs.

    `cc -c NAME.c` needs nothing else: no heap, no libm, no other library than memcpy.

    Args:
        tflite_bytes: what `to_tflite` returns for "int8" or "int16x8", or another integer graph.
            Of QUANTIZE and DEQUANTIZE behind float or uint8 inputs and before such outputs the
            integer side becomes the input and output of C.
        directory: where the files go; made if missing. Files of the same names are replaced.
        name: a C identifier that begins the file names and the names in them.
        labels: names of the classes, one for each value of the graph's output, or None.

    Returns:
        dict: "arena_bytes" (of all memory but inputs, outputs, state and stack),
        "constant_bytes", "state_bytes" (kept from one call to the next),
        "operators" (sorted names), "inputs" and "outputs" (lists of dicts with "shape", "dtype",
        "scale", "zero_point"), "labels", "tflm_ran" (whether TFLM computed the golden output),
        and "files" (names in the directory).

    Raises:
        ValueError: the name is no C identifier or reserved; labels are wrong in number, repeated,
            empty or no strings; the bytes are no .tflite graph, or hold an operator without kernel.
        OSError: the files cannot be written.
    """
    check_name(name)
    model = graphs.read(tflite_bytes)
    changed = [border.strip_border(model), adopt(model)]
    content = graphs.write(model) if any(changed) else bytes(tflite_bytes)
    inputs, outputs = check(model)
    labels = check_labels(labels, outputs)
    graph = ir.read(model)
    state.add_states(model, graph)
    simplify.simplify(graph)
    fuse.fuse(graph)
    planned = memory.plan(lower(graph))
    body, write = emit.invoke(planned)
    kernels, kernel_files = emit.kernel_headers(planned)
    example = [golden_input(tensor, seed) for seed, tensor in enumerate(inputs)]
    expected, ran = runners.run_golden(content, example)
    report: dict[str, Any] = {
        "tflm_ran": ran,
        "arena_bytes": planned.arena,
        "constant_bytes": write.bytes,
        "state_bytes": sum(held.initial.nbytes for held in graph.states),
        "operators": graphs.operators_used(model),
        "inputs": inputs,
        "outputs": outputs,
        "labels": labels,
    }
    states = graph.states
    additions = [*floats.conversions(name, report), *emit_state.prototypes(name, states)]
    resets = emit_state.functions(name, states)
    files = {
        f"{name}.h": emit.model_header(name, report, additions),
        f"{name}.c": emit.model_source(name, report, planned, write, kernels, body, resets),
        f"{name}_golden.h": emit.golden_header(name, ran, example, expected, bool(states)),
        **kernel_files,
    }
    write_together(directory, files)
    report["files"] = list(files)
    return report


def check(model):
    """(descriptions of the inputs, of the outputs); ValueError for what no C is made of."""
    if len(model.subgraphs) != 1 + len(state.initial_subgraphs(model)):
        raise ValueError(
            "Graphs made into C have one subgraph, and what CALL_ONCE calls; no control flow. "
            f"Received: {len(model.subgraphs)} subgraphs"
        )
    inputs, outputs = graphs.interface(model)
    graphs.check_scales(model)
    for tensor in (*inputs, *outputs):
        if tensor["dtype"] not in ("int8", "int16") and "tokens" not in tensor:
            raise ValueError(
                f"Inputs and outputs must be int8 or int16. Received: {tensor['dtype']}"
            )
    return inputs, outputs
