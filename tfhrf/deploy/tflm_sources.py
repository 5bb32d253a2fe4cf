"""to_tflm: a .tflite graph as C++ sources for TensorFlow Lite Micro."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhrf.deploy import runners
from tfhrf.deploy.c_text import (
    banner,
    c_float,
    c_string,
    check_labels,
    check_name,
    golden_input,
    wrapped,
)
from tfhrf.deploy.foreign.adopt import adopt
from tfhrf.deploy.memory_plan import round_up
from tfhrf.deploy.tflite import arena
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.tflm_operators import OPERATORS, check_supported
from tfhrf.files import write_together

GENERATED = banner("tfhrf.to_tflm")
C_TYPES = {"float32": "float", "int8": "std::int8_t", "int16": "std::int16_t"}
C_TYPES |= {"int32": "std::int32_t"}
ENUMERATORS = {"float32": "kFloat32", "int8": "kInt8", "int16": "kInt16", "int32": "kInt32"}


def to_tflm(
    tflite_bytes: bytes,
    directory: str | os.PathLike[str],
    *,
    name: str = "model",
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Writes C++11 sources that hold a graph for TensorFlow Lite Micro (TFLM).

    - NAME_model.h: sizes, arena, and shape, type, scale and zero point of each input and output,
      and the label names, as constants in the namespace tfhrf::NAME.
    - NAME_model.cc: the graph as an `alignas(16) const` array.
    - NAME_ops.h: `RegisterOperators` for a resolver with exactly the operators used.
    - NAME_golden.h: an input and the output that belongs to it, to test a device with.

    With the tflite-micro wheel (x86-64 Linux), TFLM computes the golden output, and the arena is
    the least in which it was seen to run the graph. Elsewhere, the output comes from TensorFlow
    Lite's reference kernels, which may differ by some levels, and the arena is an upper bound
    from TFLM's memory plan; the headers and the returned report say so. Either figure is for
    64-bit pointers, an upper bound for a Cortex-M, and a margin is added: the largest scratch
    buffer that CMSIS-NN may ask for in a convolution, Dense layer or matrix product.

    The files appear together at the end; after an error none has changed.

    Args:
        tflite_bytes: what `to_tflite` returns for "int8", "int16x8" or "float32", or another graph,
            which is written in the form that TFLM computes as TensorFlow Lite does.
        directory: where the files go; made if missing. Files of the same names are replaced.
        name: a C identifier that begins the file names and names the namespace.
        labels: names of the classes, one for each value of the graph's output, or None.

    Returns:
        dict: "tflm_ran" (bool), "arena_bytes" (margin included), "arena_margin_bytes",
        "model_bytes", "operators" (sorted names), "inputs" and "outputs" (lists of dicts with
        "shape", "dtype", "scale", "zero_point"; the last two are None for floats), "labels", and
        "files" (names in the directory).

    Raises:
        ValueError: the name is no C identifier or reserved; labels are wrong in number, repeated,
            empty or no strings; the bytes are no .tflite graph that TFLM can run.
        RuntimeError: TFLM fails to run the graph.
        OSError: the files cannot be written.
    """
    check_name(name)
    graph = graphs.read(tflite_bytes)
    content = graphs.write(graph) if adopt(graph) else bytes(tflite_bytes)
    inputs, outputs = graphs.interface(graph)
    for tensor in (*inputs, *outputs):
        if tensor["dtype"] not in C_TYPES or (tensor["dtype"] == "int32") > ("tokens" in tensor):
            raise ValueError(
                f"Inputs and outputs must have one of the types {list(C_TYPES)}, and int32 for "
                f"tokens only. Received: {tensor['dtype']}"
            )
    check_supported(graph, all(tensor["dtype"] != "float32" for tensor in inputs))
    labels = check_labels(labels, outputs)
    golden_inputs = [golden_input(tensor, seed) for seed, tensor in enumerate(inputs)]
    golden_outputs, ran = runners.run_golden(content, golden_inputs)
    used = runners.arena_bytes(content) if ran else arena.arena_bound(graph)
    margin = arena.cmsis_margin(graph)
    operators = graphs.operators_used(graph)
    report = {
        "tflm_ran": ran,
        "arena_bytes": round_up(used + margin, arena.ALIGNMENT),
        "arena_margin_bytes": margin,
        "model_bytes": len(content),
        "operators": operators,
        "inputs": inputs,
        "outputs": outputs,
        "labels": labels,
    }
    files = {
        f"{name}_model.h": model_header(name, report),
        f"{name}_model.cc": model_source(name, content),
        f"{name}_ops.h": operators_header(name, operators),
        f"{name}_golden.h": golden_header(name, report, golden_inputs, golden_outputs),
    }
    write_together(directory, files)
    return {**report, "files": list(files)}


def model_header(name, report):
    source = (
        "the least in which TensorFlow Lite Micro was seen to run the model"
        if report["tflm_ran"]
        else "an upper bound from the memory plan: TensorFlow Lite Micro WAS NOT RUN"
    )
    lines = [
        "enum class Type : std::uint8_t { kFloat32, kInt8, kInt16, kInt32 };",
        "",
        "// Real value = scale * (value - zero_point). A float32 tensor has scale 1.",
        "struct Tensor {",
        "  Type type;",
        "  float scale;",
        "  std::int32_t zero_point;",
        "  std::size_t elements;",
        "  std::size_t rank;",
        "  std::int32_t shape[6];",
        "};",
        "",
        f"constexpr std::size_t kModelBytes = {report['model_bytes']}U;",
        "",
        f"// Arena: {source},",
        "// for 64-bit pointers and reference kernels. Included is a margin of",
        f"// {report['arena_margin_bytes']} bytes for a scratch buffer of CMSIS-NN.",
        f"constexpr std::size_t kArenaBytes = {report['arena_bytes']}U;",
        "",
        *tensor_table("kInput", report["inputs"]),
        *tensor_table("kOutput", report["outputs"]),
    ]
    if report["labels"]:
        lines += [
            f"constexpr std::size_t kLabelCount = {len(report['labels'])}U;",
            "constexpr const char* kLabels[kLabelCount] = {",
            *(f"    {c_string(label)}," for label in report["labels"]),
            "};",
            "",
        ]
    lines += [
        "// The .tflite file.",
        "alignas(16) extern const std::uint8_t kModel[kModelBytes];",
    ]
    return header(name, "model", ["<cstddef>", "<cstdint>"], lines)


def tensor_table(prefix, tensors):
    lines = [
        f"constexpr std::size_t {prefix}Count = {len(tensors)}U;",
        f"constexpr Tensor {prefix}s[{prefix}Count] = {{",
    ]
    for tensor in tensors:
        shape = tensor["shape"]
        scale = 1.0 if tensor["scale"] is None else tensor["scale"]
        padded = ", ".join(map(str, [*shape, *[0] * (6 - len(shape))]))
        lines.append(
            f"    {{Type::{ENUMERATORS[tensor['dtype']]}, {c_float(scale)}, "
            f"{tensor['zero_point'] or 0}, {int(np.prod(shape))}U, {len(shape)}U, {{{padded}}}}},"
        )
    return [*lines, "};", ""]


def model_source(name, content):
    lines = [
        f"// {GENERATED}",
        f'#include "{name}_model.h"',
        "",
        "namespace tfhrf {",
        f"namespace {name} {{",
        "",
        "alignas(16) const std::uint8_t kModel[kModelBytes] = {",
        *wrapped([f"0x{byte:02x}" for byte in content], 12),
        "};",
        "",
        f"}}  // namespace {name}",
        "}  // namespace tfhrf",
    ]
    return "\n".join(lines) + "\n"


def operators_header(name, operators):
    calls = [f"resolver.{OPERATORS[operator][0]}()" for operator in operators]
    # A graph may pass its inputs through; a resolver of nothing would hold an array of none.
    calls = calls or ["(static_cast<void>(resolver), kTfLiteOk)"]
    lines = [
        f"constexpr unsigned int kOperatorCount = {len(operators)}U;",
        f"using Resolver = ::tflite::MicroMutableOpResolver<{len(calls)}U>;",
        "",
        "// Registers every operator of the model; call once.",
        "inline TfLiteStatus RegisterOperators(Resolver& resolver) {",
        f"  TfLiteStatus status = {calls[0]};",
    ]
    for call in calls[1:]:
        lines += ["  if (status == kTfLiteOk) {", f"    status = {call};", "  }"]
    lines += ["  return status;", "}"]
    include = '"tensorflow/lite/micro/micro_mutable_op_resolver.h"'
    return header(name, "ops", [include], lines)


def golden_header(name, report, inputs, outputs):
    source = (
        "TensorFlow Lite Micro's reference kernels; integers must be equal."
        if report["tflm_ran"]
        else "TensorFlow Lite's reference kernels: TensorFlow Lite Micro WAS NOT RUN."
    )
    lines = [f"// Outputs computed by {source}", ""]
    for prefix, arrays in (("kGoldenInput", inputs), ("kGoldenOutput", outputs)):
        for index, array in enumerate(arrays):
            values = [c_float(v) if array.dtype.kind == "f" else str(v) for v in array.flat]
            lines += [
                f"constexpr {C_TYPES[array.dtype.name]} {prefix}{index}[{array.size}U] = {{",
                *wrapped(values, 8 if array.dtype.kind == "f" else 14),
                "};",
                "",
            ]
    return header(name, "golden", ["<cstdint>"], lines[:-1])


def header(name, part, includes, lines):
    guard = f"TFHRF_{name.upper()}_{part.upper()}_H_"
    return "\n".join(
        [
            f"// {GENERATED}",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            *(f"#include {include}" for include in includes),
            "",
            "namespace tfhrf {",
            f"namespace {name} {{",
            "",
            *lines,
            "",
            f"}}  // namespace {name}",
            "}  // namespace tfhrf",
            "",
            f"#endif  // {guard}",
            "",
        ]
    )
