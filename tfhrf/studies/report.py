"""The report of the study of HRF, distillation and size: every figure beside its command."""

import pathlib

import numpy as np

from tfhrf.files import write_text
from tfhrf.studies import arms, paired, results
from tfhrf.studies.pictures import save_arms, save_changes
from tfhrf.studies.results import ResultsError
from tfhrf.studies.study_files import RESULTS
from tfhrf.studies.tables import half_interval

REFERENCE = "light"
BEGIN, END = "<!-- report_study.py begins -->", "<!-- report_study.py ends -->"


def found_runs(out, seeds):
    """The arms of a study that are complete.

    Args:
        out: folder of the study.
        seeds: how many the study has.

    Returns:
        Dict from (corpus, backbone, arm) to the folders of all seeds.
    """
    found = {}
    for corpus in arms.CORPORA:
        for backbone in arms.BACKBONES:
            for arm in arms.ARMS:
                runs = arms.runs_of(out, corpus, backbone, arm, seeds)
                if all((run / RESULTS).is_file() for run in runs):
                    found[corpus, backbone, arm] = runs
    return found


def recalls(runs):
    """UA of the int8 models, seed by seed, and what all seeds have in common.

    Returns:
        Array of UA, results of the first seed.
    """
    found = [results.read(run) for run in runs]
    return np.array([one["scores"]["int8"]["ua"] for one in found]), found[0]


def figures(found):
    """Lines of a Markdown table, one for each arm on each corpus."""
    lines = [
        "| | | | parameters trained | deployed | UA, int8 | 95 % of the mean |",
        "|---|---|---|---|---|---|---|",
    ]
    for (corpus, backbone, arm), runs in found.items():
        values, first = recalls(runs)
        parameters = first["parameters"]
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        interval = ""
        if len(values) > 1:
            half = half_interval(values)
            interval = f"{values.mean() - half:.3f} to {values.mean() + half:.3f}"
        lines.append(
            f"| {corpus} | {backbone} | {arm} | {parameters['trained']:,} | "
            f"{parameters['folded']:,} | {values.mean():.3f}{spread} | {interval} |"
        )
    return lines


def differences(found):
    """Lines of a Markdown table: each arm against the light one, on each corpus and on their mean.

    Also returns what differs by speaker, a dict from (corpus, backbone, arm) to a dict.
    """
    lines = [
        "| | | minus light, points of UA | 95 % interval | speakers helped / hurt |",
        "|---|---|---|---|---|",
    ]
    speakers = {}
    for backbone in arms.BACKBONES:
        for arm in arms.ARMS:
            pairs = {
                corpus: (found[corpus, backbone, REFERENCE], found[corpus, backbone, arm])
                for corpus in arms.CORPORA
                if arm != REFERENCE
                and {(corpus, backbone, REFERENCE), (corpus, backbone, arm)} <= found.keys()
            }
            chosen = [[corpus] for corpus in pairs] + ([list(pairs)] if len(pairs) > 1 else [])
            for some in chosen:
                first, second = ([pairs[corpus][side] for corpus in some] for side in (0, 1))
                one = paired.compare(first, second)
                if len(some) == 1:
                    speakers[some[0], backbone, arm] = one.groups
                values = np.array([*one.groups.values()])
                lines.append(
                    f"| {' and '.join(some)} | {backbone}, {arm} | {100 * one.mean:+.1f} | "
                    f"{100 * one.low:+.1f} to {100 * one.high:+.1f} | "
                    f"{np.sum(values > 0)} / {np.sum(values < 0)} |"
                )
    return lines, speakers


def write(path, out, seeds):
    """Writes the report into a Markdown file, between two marks, and pictures beside it.

    Args:
        path: of the file; pictures go into `pictures` beside it.
        out: folder of the study.
        seeds: how many it has.

    Raises:
        ResultsError: no arm is complete, or the file has no marks.
    """
    path, found = pathlib.Path(path), found_runs(out, seeds)
    if not found:
        raise ResultsError(f"No arm of the study is complete. Received: {out}")
    before, opened, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not opened or not closed:
        raise ResultsError(f"The report goes between {BEGIN} and {END}. Received: {path}")
    compared, speakers = differences(found)
    values = {(c, f"{b}, {a}"): recalls(runs)[0] for (c, b, a), runs in found.items()}
    title = f"int8, {seeds} seed{'s' if seeds > 1 else ''}"
    save_arms(path.parent / "pictures/arms.png", values, title)
    if speakers:
        names = {", ".join(key): one for key, one in speakers.items()}
        save_changes(path.parent / "pictures/speakers.png", names, title)
    report = _text(pathlib.Path(out), found, compared, seeds)
    write_text(path, f"{before}{BEGIN}\n\n{report}\n{END}{after}")


def _text(out, found, compared, seeds):
    lines = ["### Every arm", "", *figures(found), ""]
    lines += [
        f"UA of the int8 models in TensorFlow Lite Micro, {seeds} seed{'s' if seeds > 1 else ''}. "
        "EMO-DB: four classes, each of ten speakers left out in turn. CREMA-D: six classes, a "
        "third of the actors kept apart.",
        "",
        "![UA of every arm](pictures/arms.png)",
        "",
    ]
    if len(compared) > 2:
        lines += ["### Against light, pair by pair", "", *compared, ""]
        lines += [
            "Bootstrapped over speakers and seeds, both drawn with replacement, the same for both "
            "arms. A speaker is helped whose accuracy over all seeds is higher than with light.",
            "",
            "![What every speaker gains or loses](pictures/speakers.png)",
            "",
        ]
    lines += ["### Commands", ""]
    for corpus, backbone, arm in found:
        # Where a corpus lies is the reader's.
        typed = arms.command(out, corpus, backbone, arm, seeds, corpus.upper())
        lines.append(f"    {arms.in_shell(typed)}")
    return "\n".join(lines)
