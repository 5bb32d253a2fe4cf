"""How a model trains on a corpus where nothing else is asked for: by the corpus's own figures."""

import dataclasses

import numpy as np

from tfhrf.studies.training import TrainingSettings

PASSES = 240  # epochs
STEPS = (2_000, 30_000)  # at least and at most
LONGEST = 3.0  # seconds of a window
HELD = 0.95  # share of the utterances that a window holds whole, if it need not be longer
WINDOW_STEP = 20  # frames
WHERE = "all"  # Dense layers that HRF expands
TAUGHT = 0.5  # share of the teachers' posteriors in the targets, where there are teachers
# Training that starts from trained weights: its peak learning rate, and how many share the steps.
FINE = {"learning_rate": 2e-3, "averaged": 3}
# So many times as many recordings as there are now: a packaged model is the start without being
# asked for, and the start's weights count, too.
MUCH = 10
# Epochs of a corpus to try the tools on.
EPOCHS = {"synthetic": 20}


def settings_for(utterances, **given):
    """Settings for a corpus from its number of utterances.

    A corpus is seen PASSES times. But a small one takes as many steps as a model needs to settle,
    and a large one no more than what a day has room for. Trainings that are averaged share them.

    Args:
        utterances: number of utterances.
        given: fields of TrainingSettings, which stay as they are.

    Returns:
        TrainingSettings.
    """
    settings = TrainingSettings(**given)
    if "epochs" in given:
        return settings
    per_epoch = settings.steps_per_epoch(utterances)
    least, most = STEPS
    steps = min(max(PASSES * per_epoch, least), most)
    return dataclasses.replace(
        settings, epochs=max(1, round(steps / per_epoch / settings.averaged))
    )


def fine_for(before, utterances):
    """Fields of TrainingSettings for training that starts from trained weights.

    Args:
        before: number of recordings that trained them, or None if nobody knows.
        utterances: number of utterances to train on.

    Returns:
        Dict of what differs from training from scratch.
    """
    return {**FINE, "start_counts": (before or 0) >= MUCH * utterances}


def window_for(lengths, config):
    """Frames of a window that holds most utterances of a corpus, but is no longer than LONGEST.

    Args:
        lengths: frames of every utterance.
        config: LogMelConfig of the frames.

    Returns:
        int, a multiple of 20: of what the models' strides and merges divide.
    """
    longest = round(LONGEST * config.sample_rate / config.hop)
    enough = int(np.quantile(lengths, HELD, method="higher"))
    return max(WINDOW_STEP, min(-(-enough // WINDOW_STEP), longest // WINDOW_STEP) * WINDOW_STEP)
