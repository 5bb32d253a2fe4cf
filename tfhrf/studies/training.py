"""Training one model again and again: compiled once, restarted for every fold."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfhrf.data.store import CacheError
from tfhrf.data.windows import training_batches, validation_batches
from tfhrf.hrf.optimizer import HRFMuon

CLIP = 1.0  # norm of the gradient


class TrainingError(ValueError):
    """A training cannot go on; the message is one line."""


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained; the same for every fold, so that nothing is compiled twice."""

    frames: int | None = 300  # length of a window, 3 s; None: by the corpus
    epochs: int = 240  # of each training; fixed in advance
    averaged: int = 1  # trainings from the same start, whose weights are averaged
    start_counts: bool = False  # whether the weights that they start from are averaged in
    batch_size: int = 32
    learning_rate: float = 6e-3  # peak; warmed up, then cosine to zero
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    taught: float = 0.0  # share of the teachers' posteriors in the targets
    augmentation: str = "usual"  # or "wide"

    def steps_per_epoch(self, utterances):
        """Batches per epoch, one number for every fold: the graph is traced once."""
        return max(1, utterances // self.batch_size)


@keras.saving.register_keras_serializable(package="tfhrf")
class MirroredMuon(HRFMuon):
    """`HRFMuon` whose `clip` limits the norm of the sum of all replicas' gradients.

    The stock optimizer clips what each replica has of the gradient before it adds them up.
    """

    def __init__(self, learning_rate=0.001, clip=CLIP, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.clip = clip

    def apply(self, grads, trainable_variables=None):
        context = tf.distribute.get_replica_context()
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, list(grads))
        clipped, _ = tf.clip_by_global_norm(sums, self.clip)
        # They are added up once more.
        shares = [gradient / context.num_replicas_in_sync for gradient in clipped]
        super().apply(shares, trainable_variables)

    def get_config(self):
        return {**super().get_config(), "clip": self.clip}


def compile_model(model, settings, steps_per_epoch):
    """Compiles a classifier of logits for `restart` and `fit`.

    A model that was built in the scope of a tf.distribute.MirroredStrategy is compiled, restarted
    and fitted in that scope; every device gets its part of each batch.

    Args:
        model: Keras model, (batch, frames, mels) to logits (batch, classes).
        settings: TrainingSettings.
        steps_per_epoch: batches per epoch, of every fold.
    """
    steps = settings.epochs * steps_per_epoch
    warmup = max(1, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        optimizer = MirroredMuon(schedule, weight_decay=settings.weight_decay)
    else:
        optimizer = HRFMuon(schedule, weight_decay=settings.weight_decay, global_clipnorm=CLIP)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        metrics=["accuracy"],
        jit_compile=False,
    )
    optimizer.build(model.trainable_variables)


def restart(model, initial):
    """Gives a compiled model its initial values again and an empty optimizer.

    Nothing is traced again. Nothing is seeded again either: that would clear TensorFlow's
    cache of kernels, and the next step would take a second to rebuild them.

    Args:
        model: a compiled model.
        initial: values of `model.variables`, those of random generators included.
    """
    for variable, value in zip(model.variables, initial, strict=True):
        variable.assign(value)
    for variable in model.optimizer.variables:
        variable.assign(tf.zeros_like(variable))


def fit(
    model, features, labels, settings, steps_per_epoch, config, seed, callbacks=(), validation=None
):
    """Trains a restarted model on some utterances.

    After keras.utils.set_random_seed, it repeats exactly, whatever was trained before.

    Args:
        model: the compiled, restarted model.
        features: list of float32 arrays, (frames of the utterance, mels), or of StoredFrames.
        labels: class index per utterance, or shares of the classes, (utterances, classes).
        settings: TrainingSettings.
        steps_per_epoch: as given to `compile_model`.
        config: LogMelConfig of the features.
        seed: seed of shuffling, cropping and augmentation.
        callbacks: Keras callbacks.
        validation: features and labels of utterances that are watched and choose nothing, or None.

    Returns:
        The learning curve: dict of one float per epoch, "loss" and "accuracy", and "validation
        loss" and "validation accuracy" of the middle windows of `validation`, if given.

    Raises:
        TrainingError: the loss is not finite.
        CacheError: as np.asarray of StoredFrames.
    """
    classes = model.output_shape[-1]
    arguments = features, labels, settings, classes, config, seed
    batches = training_batches(*arguments)
    if model.distribute_strategy.num_replicas_in_sync > 1:
        # Keras looks at a batch and begins again, which would shuffle in another order.
        options = batches.options()
        batches = tf.data.Dataset.range(1).flat_map(lambda _: training_batches(*arguments))
        batches = batches.with_options(options)
    watched = None
    if validation is not None:
        watched_features, watched_labels = validation
        watched = validation_batches(watched_features, watched_labels, settings, classes, config)
    try:
        history = model.fit(
            batches,
            epochs=settings.epochs,
            steps_per_epoch=steps_per_epoch,
            validation_data=watched,
            shuffle=False,
            callbacks=[keras.callbacks.TerminateOnNaN(), *callbacks],
            verbose=0,
        ).history
    except tf.errors.OpError as error:
        # What Python raises inside tf.data arrives as text with a traceback.
        _, found, reason = str(error).partition("CacheError: ")
        if found:
            raise CacheError(reason.splitlines()[0]) from None
        raise
    loss = history["loss"][-1]
    if loss != loss or abs(loss) == float("inf"):
        raise TrainingError(
            "Training diverged; lower the learning rate. "
            f"Received: loss={loss}, learning_rate={settings.learning_rate}"
        )
    return {
        name.replace("val_", "validation "): [float(value) for value in values]
        for name, values in history.items()
    }


def fit_averaged(model, initial, features, labels, settings, steps, config, seeds, **watching):
    """Trains a compiled model from the same start once for each seed; it gets their mean weights.

    Trainings that begin at the weights of a trained model end near enough to each other that the
    mean of their weights does what the mean of their outputs does ("Model soups", Wortsman et al.
    2022). From scratch they do not: one seed is for these. The start's weights may count as one
    more of them ("Robust fine-tuning of zero-shot models", Wortsman et al. 2022).

    Args:
        model, features, labels, settings, config: as of `fit`.
        initial: as of `restart`.
        steps: batches per epoch.
        seeds: a seed of `fit` for each training.
        watching: callbacks and validation, as of `fit`.

    Returns:
        The learning curves as of `fit`, one behind the other.
    """
    curves, ends = [], [initial] if settings.start_counts else []
    for seed in seeds:
        restart(model, initial)
        curves.append(fit(model, features, labels, settings, steps, config, seed, **watching))
        ends.append([variable.numpy() for variable in model.variables])
    for variable, *values in zip(model.variables, *ends, strict=True):
        # States of random generators are no weights.
        if values[0].dtype.kind == "f":
            variable.assign(np.mean(values, axis=0))
    return {name: [v for curve in curves for v in curve[name]] for name in curves[0]}


def inference(model):
    """The model as a function of windows, traced once whatever the number of windows.

    Returns:
        Function from (windows, frames, mels) to logits (windows, classes), NumPy arrays.
    """
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    call = tf.function(lambda windows: model(windows, training=False), input_signature=[spec])
    return lambda windows: call(windows).numpy()
