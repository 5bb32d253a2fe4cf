"""Headers that stand in for those of other tools, so that what is written for them compiles."""

import pathlib

from tfhrf.deploy.tflite.tflm_operators import OPERATORS

DEPLOY = pathlib.Path(__file__).parent / "deploy"
TFLM = DEPLOY / "tflm_stand_in"  # generated C computes the model; its folder must be included
TOOLS = DEPLOY / "tool_stand_ins"


def write_resolver_methods(folder):
    """Writes what TFLM's stand-in includes: a method of its resolver for each operator."""
    methods = {method for method, *_ in OPERATORS.values()}
    lines = [f"  TfLiteStatus {method}() {{ return Count(); }}" for method in sorted(methods)]
    (folder / "resolver_methods.inc").write_text("\n".join(lines) + "\n")
