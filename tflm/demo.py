"""Shows what a model says of a sound in Keras and on an emulated microcontroller.

    python tflm/demo.py
    python tflm/demo.py --model_dir=runs/STUDY/deployed --wav=sound.wav --board=netduinoplus2

Any WAV or FLAC file, with any number of utterances; synthetic ones if none is given. Needs
arm-none-eabi-gcc and qemu-system-arm (`make tools`).
"""

import argparse
import pathlib
import sys
import wave

import emulator
import keras
import numpy as np

import tfhrf.models  # noqa: F401 - Keras then knows the layers of a trained model
from tfhrf.data.corpora import synthetic
from tfhrf.data.decode import decode
from tfhrf.data.extract import extract
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.endpoint import EndpointConfig, utterances
from tfhrf.files import replacing
from tfhrf.log_mel import LogMelConfig
from tfhrf.studies.training import inference

DEFAULT_MODEL = "runs/conv_transformer-synthetic-light-*/deployed"
EMOTIONS = ("anger", "neutral", "sadness")
ROOM = 0.002  # of full scale
SOUND = pathlib.Path("runs/demo/sound.wav")  # as the board reads it: 16 bits, one channel


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model_dir", help="a study's folder; that of `make train` if not given")
    parser.add_argument("--wav", help="the sound; a synthetic utterance if not given")
    parser.add_argument("--board", default=emulator.BOARDS[0], help=", ".join(emulator.BOARDS))
    arguments = parser.parse_args()
    try:
        show(model_dir(arguments.model_dir), arguments.wav, arguments.board)
    except (OSError, RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())
        print(message if message.startswith("Error") else f"Error: {message}", file=sys.stderr)
        sys.exit(2)


def show(folder, wav, board):
    config = LogMelConfig.load(folder / "front_end.json")
    source = record(wav, config)
    answer = emulator.run(board, folder, SOUND)
    found = in_keras(folder, config)
    kinds = ("Keras, float32", f"{board}, int8")
    print(f"\n{source}\n")
    print(" " * 24 + "".join(f"{label:>12}" for label in answer["labels"]))
    for ((start, end), posterior), on_board in zip(found, answer["posteriors"], strict=True):
        print(f"{start / config.sample_rate:.2f} s to {end / config.sample_rate:.2f} s")
        for kind, row in zip(kinds, (posterior, np.array(on_board)), strict=True):
            values = "".join(f"{value:12.3f}" for value in row)
            print(f"{kind:24}{values}   {answer['labels'][row.argmax()]}")
    counts, sizes = answer["instructions"], answer["bytes"]
    print("\nmillions of instructions: ", end="")
    print(", ".join(f"{part} {count / 1e6:.2f}" for part, count in counts.items()))
    print("bytes: " + ", ".join(f"{part} {size:,}" for part, size in sizes.items()))


def model_dir(given):
    """The folder of the model, which has what Keras and the board need."""
    folders = [given] if given else sorted(pathlib.Path().glob(DEFAULT_MODEL))
    if not folders:
        raise ValueError(f"`make train` has not made a model yet. Received: no {DEFAULT_MODEL}")
    folder = pathlib.Path(folders[0])
    for name in ("trained.keras", "int8.tflite", "front_end.json"):
        if not (folder / name).is_file():
            raise ValueError(f"A model's folder must have {name}. Received: {folder}")
    return folder


def record(wav, config):
    """Writes the sound as the board reads it; returns words for what it is."""
    if wav is not None:
        (samples,) = decode([wav], config.sample_rate)
        source = wav
    else:
        samples = conversation()
        if config.sample_rate != synthetic.SAMPLE_RATE:
            with replacing(SOUND) as path:
                synthetic.write_wav(path, samples)
            (samples,) = decode([SOUND], config.sample_rate)
        source = f"a synthetic voice that the model has not heard, {', '.join(EMOTIONS)}"
    with replacing(SOUND) as path:
        synthetic.write_wav(path, samples, config.sample_rate)
    return f"{len(samples) / config.sample_rate:.2f} s of sound: {source}"


def conversation():
    """Utterances of a voice that is not in the corpus, a second of its room between them."""
    speaker = synthetic.SPEAKERS + 1
    parts = []
    for number, emotion in enumerate(EMOTIONS):
        rng = np.random.default_rng([speaker, number])
        parts += [synthetic.utterance(speaker, emotion, rng)]
        parts += [ROOM * rng.standard_normal(synthetic.SAMPLE_RATE)]
    return np.concatenate(parts)


def in_keras(folder, config):
    """Of each utterance its start and end, in samples, and the mean posterior of its windows by the
    model as trained.
    """
    model = keras.saving.load_model(folder / "trained.keras", compile=False)
    infer = inference(model)
    (features,) = extract([SOUND], config)
    found = []
    for start, end in utterances(recorded(), EndpointConfig.at(config.sample_rate, config.hop)):
        first = start // config.hop
        spoken = features[first : first + config.frames((end - start) / config.sample_rate)]
        windows = evaluation_windows(spoken, model.input_shape[1], config.hop_frames, config)
        found.append(((start, end), utterance_posteriors(infer(windows), [len(windows)])[0]))
    return found


def recorded():
    """The sound's samples, as the board reads them."""
    with wave.open(str(SOUND)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


if __name__ == "__main__":
    main()
