"""Prints the figures of the README that need no training.

python recipes/benchmark.py
"""

import functools
import tempfile

import numpy as np

import tfhrf
from tfhrf import benchmarks
from tfhrf.backbones import ConvTransformer

FRAMES, MELS, CLASSES = 300, 64, 4
RUNS = 3  # of the memory measurement


def model(preset, hrf):
    return functools.partial(ConvTransformer, (FRAMES, MELS), CLASSES, preset=preset, hrf=hrf)


def main():
    print("Folded against trained, float32: max difference / max logit")
    for preset in ("light", "large"):
        for hrf in (2, 4, 8):
            error = benchmarks.folding_error(model(preset, hrf), FRAMES, MELS)
            print(f"  ConvTransformer {preset}, HRF {hrf}: {error:.1e}")

    print(f"\nTraining step, light ConvTransformer, batch 32 x {FRAMES} frames, alternating")
    plain, hrf = benchmarks.alternate(
        [benchmarks.training_step(model("light", hrf)) for hrf in (0, 4)]
    )
    memory = [
        np.median([benchmarks.peak_memory(model("light", hrf)) for _ in range(RUNS)])
        for hrf in (0, 4)
    ]
    print(f"  plain   {1e3 * np.median(plain):6.1f} ms   {memory[0] / 2**20:6.1f} MiB")
    print(f"  HRF 4   {1e3 * np.median(hrf):6.1f} ms   {memory[1] / 2**20:6.1f} MiB")
    time_ratio = np.median(hrf) / np.median(plain)
    print(f"  ratio   {time_ratio:6.3f}      {memory[1] / memory[0]:6.3f}")

    print("\nTraining step, one feed-forward network alone, d 64, 128 wide, r 256, alternating")
    forms = benchmarks.feed_forward_steps()
    seconds = np.median(benchmarks.alternate(list(forms.values())), axis=1)
    for name, median in zip(forms, seconds, strict=True):
        print(f"  {name:13}{1e3 * median:6.1f} ms   {median / seconds[0]:5.2f} x plain")
    print(f"  two products / merged: {seconds[2] / seconds[1]:.2f}")

    print("\nLight ConvTransformer, folded, untrained")
    folded = tfhrf.fold(model("light", 4)())
    windows = np.random.default_rng(0).standard_normal((16, FRAMES, MELS)).astype("f4")
    content = tfhrf.to_tflite(folded, windows)
    with tempfile.TemporaryDirectory() as directory:
        report = tfhrf.to_tflm(content, directory)
    print(f"  {folded.count_params():,} parameters, int8 file {len(content):,} bytes")
    print(f"  arena {report['arena_bytes']:,} bytes, TFLM was run: {report['tflm_ran']}")


if __name__ == "__main__":
    main()
