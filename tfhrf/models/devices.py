"""What presets for certain devices bring: a front end and windows of their own."""

from typing import Any

from tfhrf.log_mel import LogMelConfig

# By preset: front end, frames of a window, and how many times the epochs of other presets. "tiny"
# is for 8 KB of RAM: telephone bandwidth, longer hops and fewer mels, windows of 2 s as well.
DEVICES: dict[str, dict[str, Any]] = {
    "tiny": {
        "config": LogMelConfig(
            sample_rate=8000, frame_length=256, hop=200, fft_length=256, mels=24, upper_hz=3800.0
        ),
        "frames": 80,
        "epochs": 2,
    }
}
