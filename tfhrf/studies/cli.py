"""Running a recipe: absl flags, and errors of the user's making as one line and exit code 2."""

import dataclasses
import functools
import io
import itertools
import os
import pathlib
import sys
import warnings

import tensorflow as tf
from absl import app, flags

from tfhrf.compression.library import LibraryError
from tfhrf.data.corpora import CorpusError, CorpusWarning
from tfhrf.data.decode import AudioError
from tfhrf.data.folds import FoldError, trained_on
from tfhrf.data.store import CacheError
from tfhrf.files import safe_name
from tfhrf.log_mel import LogMelConfig
from tfhrf.models.devices import DEVICES
from tfhrf.progress import end_line
from tfhrf.recognition.packaged import SCRATCH, START, ModelError, names
from tfhrf.studies import material, parsing, shrink, study, tables
from tfhrf.studies.defaults import EPOCHS, TAUGHT, WHERE, fine_for, settings_for
from tfhrf.studies.record import StudyError
from tfhrf.studies.results import ResultsError
from tfhrf.studies.start import continued, start, usual
from tfhrf.studies.task import STRATEGIES
from tfhrf.studies.teachers import name_teachers
from tfhrf.studies.training import TrainingError
from tfhrf.workers import EngineError, Local, Ray, limit_threads

# Of the user's making, or of what became of files; each is one line.
ERRORS = (
    AudioError,
    CacheError,
    CorpusError,
    EngineError,
    FoldError,
    LibraryError,
    ModelError,
    TrainingError,
    ResultsError,
    StudyError,
)
# TensorFlow's names for a full disk, a folder without write permission and the like.
FILE_ERRORS = (
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
)


def run(main, positional=False, arguments=None, about=None):
    """Parses the flags and calls `main()`, or `main(arguments)` if positional arguments are its
    own; the recipe's last line.

    Args:
        main: function.
        positional: whether it takes arguments that are no flags.
        arguments: list of texts, a name first; those of this process if None.
        about: what --help says before it lists the flags; the recipe's docstring if None.
    """
    elsewhere = warnings.formatwarning
    warnings.formatwarning = lambda message, category, *place, **more: (
        f"Warning: {message}\n"
        if issubclass(category, CorpusWarning)
        else elsewhere(message, category, *place, **more)
    )
    app.run(
        lambda left: _guarded(main, left[1:], positional),
        argv=arguments,
        flags_parser=lambda given: _parse(given, about),
    )


def train(model, backbone, variants=("light", "large"), arguments=None, about=None, **fixed):
    """The recipe of a backbone: studies it on a corpus and prints a table.

    Args:
        model: name of the backbone in files and tables.
        backbone: function of (input_shape, classes, preset=, hrf=, where=) that returns a model.
        variants: presets of the backbone; the first one if the user does not choose.
        arguments: as of `run`.
        about: as of `run`.
        fixed: fields of TrainingSettings that do not depend on the corpus.
    """
    material.define_flags()
    _define_list("variant", variants[0], variants, "Size of the model.")
    _define_list("hrf", "0", ("0", "2", "4", "8"), "Expansion of the HRF layers; 0: none.")
    _define_list("seed", "0", None, "Seed of everything random.")
    flags.DEFINE_list("folds", None, "Numbers of the folds to run; all if not given.")
    flags.DEFINE_integer(
        "epochs",
        None,
        "Epochs, fixed in advance; by the size of the corpus if not given.",
        lower_bound=1,
    )
    flags.DEFINE_string(
        "out", None, "Folder of the study, or of a folder for each; under runs/ if not given."
    )
    flags.DEFINE_list(
        "teacher",
        [],
        "Folders of finished studies of the same folds, whose models the new ones learn from too.",
    )
    flags.DEFINE_string(
        "from",
        None,
        "A packaged model, or a folder such as runs/STUDY/deployed, whose weights training starts "
        f"from; {SCRATCH}: from scratch. If not given, {START} for corpora with less than a tenth "
        "of its recordings.",
    )
    shrink.define_flags()
    flags.DEFINE_enum(
        "augmentation",
        "usual",
        ["usual", "wide"],
        "wide: for other microphones and rooms: levels, dynamic ranges and voices, too.",
    )
    flags.DEFINE_bool("trim", False, "Silence at both ends of a recording is cut.")
    flags.DEFINE_bool("restart", False, "Removes what the study's folder holds of an earlier one.")
    flags.DEFINE_enum(
        "on_bad_audio",
        "stop",
        ["stop", "skip"],
        "skip: goes on without recordings that cannot be used, and lists them at the end.",
    )
    flags.DEFINE_enum("engine", "local", ["local", "ray"], "Where features and folds are computed.")
    flags.DEFINE_string(
        "ray_address",
        None,
        "The Ray cluster: auto, host:port or ray://host:port; on this machine if not given.",
    )
    flags.DEFINE_enum(
        "strategy",
        "none",
        sorted(STRATEGIES, reverse=True),
        "mirrored: a training uses all GPUs of this machine.",
    )
    run(lambda: _train(model, backbone, fixed, flags.FLAGS), arguments=arguments, about=about)


def _define_list(name, default, choices, text):
    """A flag of one or several values; with several, every combination is a study."""
    flags.DEFINE_list(name, default, f"{text} Several, with commas: a study each.")
    if choices:
        flags.register_validator(
            name,
            lambda given: bool(given) and set(given) <= {*choices},
            f"values are of <{'|'.join(choices)}>",
        )
    else:
        flags.register_validator(
            name,
            lambda given: (
                bool(given) and all(text.isdecimal() and int(text) < 2**32 for text in given)
            ),
            "values are integers from 0 to 4294967295",
        )


def _train(model, backbone, fixed, given):
    engine, numbers = _engine(given), study.fold_numbers(given.folds)
    source = getattr(given, "from")
    tested = given.test_dataset or given.dataset
    begun = None if source in (None, SCRATCH) else start(source, model, given.variant, tested)
    device = _device(given.variant)
    made_of = material.read(given)
    learned = [made_of.utterances[index] for index in trained_on(made_of.folds)]
    # What teachers and cut recordings gain was measured from scratch.
    if source is None and not (given.teacher or given.trim or given.dataset in EPOCHS):
        begun = usual(model, given.variant, tested, learned)
    if begun:
        device = {"config": begun[0].config, "frames": begun[0].frames, "epochs": 1}
        fixed = {**fine_for(begun[0].recordings, len(learned)), **fixed}
    config = device["config"] or LogMelConfig()
    training = _training(given, device, fixed, len(learned))
    asked = _asked(given, model, training, made_of, begun[1] if begun else {})
    studies = [
        study.Study(
            _build(backbone, settings, begun, made_of.corpus.labels),
            settings,
            _folder(settings, asked, given.out),
        )
        for settings in asked
    ]
    bad: dict[int, str] | None = {} if given.on_bad_audio == "skip" else None
    found = study.run(
        studies,
        made_of.corpus,
        made_of.utterances,
        made_of.folds,
        training,
        fold_numbers=numbers,
        engine=engine,
        strategy=given.strategy,
        restart=given.restart,
        config=dataclasses.replace(config, trim=given.trim or config.trim),
        bad=bad,
        teachers=given.teacher,
        begun=begun[0] if begun else None,
    )
    for one, results in zip(studies, found, strict=True):
        print(f"\n{tables.table(results)}\n\nWritten to {one.out}")
    if bad:
        print(f"\nLeft out, {len(bad)} that cannot be used:")
        print("\n".join(bad[index] for index in sorted(bad)))


def _build(backbone, settings, begun, labels):
    """The function that makes the model of a study: anew, or from trained weights."""
    hrf = settings["hrf"]
    if begun:
        source = begun[1]["from"]
        # Other machines have packaged models elsewhere, processes here may run elsewhere.
        source = source if source in names() else str(pathlib.Path(source).resolve())
        return functools.partial(continued, source=source, labels=labels, hrf=hrf)
    return functools.partial(backbone, preset=settings["variant"], hrf=hrf, where=WHERE)


def _asked(given, model, training, made_of, begun):
    """The settings of each study that the user asked for, without repetitions."""
    asked = []
    smaller = shrink.asked(given)
    taught = {"teacher": name_teachers(given.teacher)} if given.teacher else {}
    cut = {"trim": True} if given.trim else {}
    wide = {} if given.augmentation == "usual" else {"augmentation": given.augmentation}
    for variant, hrf, seed in itertools.product(given.variant, given.hrf, given.seed):
        settings = {
            "model": model,
            "dataset": given.dataset,
            "variant": variant,
            "hrf": int(hrf),
            "seed": int(seed),
            "epochs": training.epochs,
            "protocol": made_of.protocol,
            **made_of.settings,
            **cut,
            **wide,
            **taught,
            **begun,
            **smaller,
        }
        if settings not in asked:
            asked.append(settings)
    return asked


def _training(given, device, fixed, utterances):
    """TrainingSettings: what is fixed for all corpora or by the user, else by the corpus's size."""
    fixed = {
        "frames": device["frames"],
        "taught": TAUGHT if given.teacher else 0.0,
        "augmentation": given.augmentation,
        **fixed,
    }
    epochs = given.epochs or fixed.get("epochs") or EPOCHS.get(given.dataset)
    if epochs:
        fixed["epochs"] = epochs
    training = settings_for(utterances, **fixed)
    if given.epochs:
        return training
    return dataclasses.replace(training, epochs=device["epochs"] * training.epochs)


def _device(variants):
    """The entry of DEVICES for variants that are trained together."""
    any_size = {"config": None, "frames": None, "epochs": 1}
    first, *others = [DEVICES.get(variant, any_size) for variant in variants]
    if any(other != first for other in others):
        raise StudyError(
            "Variants with a front end of their own run apart. "
            f"Received: --variant={','.join(variants)}"
        )
    return first


def _engine(given):
    if given.engine == "ray":
        if given.strategy != "none":
            raise EngineError(
                "Ray spreads trainings, each on one device; a strategy spreads one training. "
                f"Received: --engine=ray --strategy={given.strategy}"
            )
        return Ray(given.ray_address)
    if given.ray_address is not None:
        raise EngineError(
            f"--ray_address needs --engine=ray. Received: --ray_address={given.ray_address}"
        )
    return Local() if given.strategy == "none" else Local(1)


def _folder(settings, asked, out):
    """The folder of a study among all that were asked for at once."""
    if out is None:
        return pathlib.Path("runs") / safe_name("-".join(map(str, settings.values())))
    differing = [
        str(value)
        for name, value in settings.items()
        if any(other[name] != value for other in asked)
    ]
    return pathlib.Path(out, safe_name("-".join(differing))) if differing else pathlib.Path(out)


def _parse(arguments, about):
    try:
        return parsing.parse(arguments, about)
    except parsing.FlagError as error:
        return _fail(error)


def _guarded(main, arguments, positional):
    # A file name need not be text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if arguments and not positional:
        _fail(f"Flags alone are taken, with --. Received: {arguments[0]}")
    try:
        limit_threads()
        main(arguments) if positional else main()
        sys.stdout.flush()
    except ERRORS as error:
        _fail(error)
    except KeyboardInterrupt:
        _fail("Stopped; what is complete stays, and the same command goes on from there", 130)
    except BrokenPipeError:
        # A reader that has enough, such as `head`: what is left must not fail at Python's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # A full disk has no name of a file.
        out = flags.FLAGS["out"].value if "out" in flags.FLAGS else None
        where = error.filename or out or "runs"
        _fail(f"{error.strerror or error}. Received: {where}")
    except FILE_ERRORS as error:
        _fail(error.message)


def _fail(error, code=2):
    end_line()
    print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(code)
