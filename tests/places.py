"""Folders that tests use."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TFLM = ROOT / "tflm"
SHARED = ROOT.parent / "shared"  # recordings and models beside a development checkout
EXAMPLE = SHARED / "data/micro/transformer_50x40_silu_int8.tflite"
