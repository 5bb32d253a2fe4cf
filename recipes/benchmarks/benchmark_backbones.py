"""Prints the figures of docs/results.md that need no trained model.

python recipes/benchmarks/benchmark_backbones.py
python recipes/benchmarks/benchmark_backbones.py --what=windows   # needs 16 GB of memory
"""

import functools
import tempfile

import measuring
import numpy as np
from absl import flags

import tfhrf
from tfhrf.models import Conformer, ConvTransformer, SpeechFormer
from tfhrf.studies import cli

WHAT = flags.DEFINE_enum(
    "what",
    "backbones",
    ["backbones", "windows"],
    "All backbones, or SpeechFormer-S against its Dense layers and against stock attention.",
)

BACKBONES = (ConvTransformer, Conformer, SpeechFormer)
FRAMES, MELS, CLASSES = 300, 64, 4
RUNS = 3  # of the memory measurement


def model(backbone, preset, hrf):
    return functools.partial(backbone, (FRAMES, MELS), CLASSES, preset=preset, hrf=hrf)


def main():
    {"backbones": backbones, "windows": windows}[WHAT.value]()


def windows():
    frames, mels = 651, 128
    large = functools.partial(SpeechFormer, (frames, mels), CLASSES, "large")
    dense = functools.partial(measuring.dense_alone, large)
    stock = functools.partial(measuring.stock_transformer, (frames, mels), CLASSES)
    print(f"Training step, batch 32 x {frames} frames x {mels} mels, alternating; peak memory")
    for name, rival, rounds in (("its Dense layers", dense, 20), ("stock attention", stock, 3)):
        seconds = measuring.in_own_process(measuring.step_seconds, (large, rival), rounds)
        ours, theirs = np.median(seconds, axis=1)
        memory = [
            measuring.in_own_process(measuring.peak_memory, build, 2) for build in (large, rival)
        ]
        print(
            f"  SpeechFormer-S {1e3 * ours:6.0f} ms {memory[0] / 2**20:6.0f} MiB, "
            f"{name} {1e3 * theirs:6.0f} ms {memory[1] / 2**20:6.0f} MiB, "
            f"ratios {ours / theirs:.3f} {memory[0] / memory[1]:.3f}"
        )


def backbones():
    print("Folded against trained, float32: max difference / max logit")
    for backbone in BACKBONES:
        for preset in ("light", "large"):
            for hrf in (2, 4, 8):
                error = measuring.folding_error(model(backbone, preset, hrf), FRAMES, MELS)
                print(f"  {backbone.__name__} {preset}, HRF {hrf}: {error:.1e}")

    print(f"\nTraining step, light, batch 32 x {FRAMES} frames, alternating; peak memory")
    for backbone in BACKBONES:
        builds = [model(backbone, "light", hrf) for hrf in (0, 4)]
        plain, hrf = measuring.in_own_process(measuring.step_seconds, builds)
        memory = [
            np.median([measuring.in_own_process(measuring.peak_memory, build) for _ in range(RUNS)])
            for build in builds
        ]
        print(
            f"  {backbone.__name__:16} plain {1e3 * np.median(plain):6.1f} ms "
            f"{memory[0] / 2**20:6.1f} MiB, HRF 4 {1e3 * np.median(hrf):6.1f} ms "
            f"{memory[1] / 2**20:6.1f} MiB, ratios {np.median(hrf) / np.median(plain):.3f} "
            f"{memory[1] / memory[0]:.3f}"
        )

    print("\nTraining step, one feed-forward network alone, d 64, 128 wide, r 256, alternating")
    forms = measuring.feed_forward_steps()
    seconds = np.median(measuring.alternate(list(forms.values())), axis=1)
    for name, median in zip(forms, seconds, strict=True):
        print(f"  {name:13}{1e3 * median:6.1f} ms   {median / seconds[0]:5.2f} x plain")
    print(f"  two products / merged: {seconds[2] / seconds[1]:.2f}")

    print("\nLight, folded, untrained")
    examples = np.random.default_rng(0).standard_normal((16, FRAMES, MELS)).astype("f4")
    for backbone in BACKBONES:
        folded = tfhrf.fold(model(backbone, "light", 4)())
        content = tfhrf.to_tflite(folded, examples)
        with tempfile.TemporaryDirectory() as directory:
            report = tfhrf.to_tflm(content, directory)
        print(
            f"  {backbone.__name__:16} {folded.count_params():,} parameters, int8 file "
            f"{len(content):,} bytes, arena {report['arena_bytes']:,} bytes, "
            f"TFLM was run: {report['tflm_ran']}"
        )


if __name__ == "__main__":
    cli.run(main)
