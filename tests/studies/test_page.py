"""Pages of studies: figures that are computed in another way, intervals, nothing from elsewhere."""

import base64
import html.parser
import json
import re
import shutil

import numpy as np
import pytest
import recipes_run
import scipy.stats
from small_studies import recordings, run

from tfhrf.studies import comparison_page, pictures, recalls, results, study_page
from tfhrf.studies.study_files import PAGE


class Page(html.parser.HTMLParser):
    """What a page holds: its text, tables by section, sources of pictures; tags must be closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.sources, self.tables, self.titles = [], [], [], {}, []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            assert attrs["alt"]
            self.sources.append(attrs["src"])
        elif tag not in ("meta", "!doctype"):
            self.open.append(tag)
        if tag == "h2":
            self.titles.append("")
        if tag == "tr":
            self.tables.setdefault(self.titles[-1], []).append([])
        if tag in ("td", "th"):
            self.tables[self.titles[-1]][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.titles[-1] += data
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[self.titles[-1]][-1][-1] += data


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two models of two seeds, all of the same decisions, on speakers one of whom is called <b>."""
    root = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        utterances = recordings(root / "sounds", speakers=("ann", "<b>", "cem"), takes=6)
        settings = {"model": "small", "dataset": "own", "variant": "light", "hrf": 0, "seed": 0}
        run(root / "0-0", utterances, settings, fold_numbers=[1, 2, 3])
    for hrf, seed in ((0, 1), (4, 0), (4, 1)):
        copy = root / f"{hrf}-{seed}"
        shutil.copytree(root / "0-0", copy)
        found = json.loads((copy / "results.json").read_text())
        found["settings"] |= {"hrf": hrf, "seed": seed}
        (copy / "results.json").write_text(json.dumps(found))
    return root


def read(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:|#)|<script|@import|url\(", text)
    return Page(text)


def test_a_studys_page_has_its_figures(studies):
    page = read(studies / "0-0" / PAGE)
    found = json.loads((studies / "0-0/results.json").read_text())
    assert page.titles == [
        *("Figures", "Confusions", "Classes and speakers", "Learning curves", "Costs", "Commands")
    ]
    int8 = found["scores"]["int8"]
    assert page.tables["Figures"][-1][1:] == [f"{int8['wa']:.3f}", f"{int8['ua']:.3f}"]
    rows = page.tables["Confusions"][1:]
    assert [[int(cell) for cell in row[1:]] for row in rows] == int8["confusion"]
    assert ["<b>", "6"] in [row[:2] for row in page.tables["Classes and speakers"]]
    assert "recipes/train_small.py" in "".join(page.words)
    assert len(page.sources) == 6
    for source in page.sources:
        kind, _, content = source.partition("base64,")
        assert kind == "data:image/svg+xml;"
        assert b"<svg" in base64.b64decode(content)


def test_a_page_is_the_same_bytes_again(studies):
    path = studies / "0-0" / PAGE
    before = path.read_bytes()
    study_page.write(path.parent, json.loads((path.parent / "results.json").read_text()))
    assert path.read_bytes() == before


def test_stress_and_instructions_are_shown_where_they_are_known(studies, tmp_path):
    found = json.loads((studies / "0-0/results.json").read_text())
    conditions = {"clean": {"ua": 0.75}, "a room": {"ua": 0.5}, "MP3": {"missing": "no <coder>"}}
    (tmp_path / "stress.json").write_text(json.dumps({"conditions": conditions}))
    (tmp_path / "deployed").mkdir()
    (tmp_path / "deployed/instructions.json").write_text('{"cortex-m4": 1234567}')
    study_page.write(tmp_path, {**found, "tflm": {"arena_bytes": 4321}})
    page = read(tmp_path / PAGE)
    assert page.tables["Sound as users send it"][1:] == [
        ["clean", "0.750", "+0.0"],
        ["a room", "0.500", "-25.0"],
        ["MP3", "-", "no <coder>"],
    ]
    assert ["instructions on a Cortex-M4", "1,234,567"] in page.tables["Costs"]
    assert ["bytes of RAM, TensorFlow Lite Micro", "4,321"] in page.tables["Costs"]


def test_confidential_studies_show_counts_of_folds(studies, tmp_path):
    found = json.loads((studies / "0-0/results.json").read_text())
    study_page.write(tmp_path, found)  # no decisions lie beside it
    assert "fold" in [row[0] for row in read(tmp_path / PAGE).tables["Classes and folds"]]


def test_a_study_that_only_deploys_says_that_it_tested_nothing(studies, tmp_path):
    found = json.loads((studies / "0-0/results.json").read_text())
    nothing = {"folds": {}, "scores": {}, "history": {}, "utterances": 0}
    study_page.write(tmp_path, {**found, **nothing})
    words = "".join(read(tmp_path / PAGE).words)
    assert "\nNot tested. " in words
    assert "held out" not in words


def test_groups_that_tie_speakers_are_not_called_speakers(studies, tmp_path):
    folders = [shutil.copytree(studies / name, tmp_path / name) for name in ("0-0", "4-0")]
    for folder in folders:
        found = json.loads((folder / "results.json").read_text())
        assert found["unit"] == "speaker"
        del found["unit"]  # as of a study that does not say it
        (folder / "results.json").write_text(json.dumps(found))
    study_page.write(folders[0], found)
    text = (folders[0] / PAGE).read_text()
    assert "group" in [row[0] for row in read(folders[0] / PAGE).tables["Classes and groups"]]
    assert "Accuracy on every group" in text
    assert "every speaker" not in text
    comparison_page.write(tmp_path / "a.html", results.group(folders), folders)
    page = read(tmp_path / "a.html")
    assert page.tables["Pair by pair"][0][-1] == "groups helped / hurt"
    assert "Classes and groups: hrf=4" in page.titles


def test_studies_side_by_side(studies, tmp_path):
    folders = [str(studies / name) for name in ("0-0", "0-1", "4-0", "4-1")]
    done = recipes_run.run("collect_results.py", f"--out={tmp_path}", *folders)
    assert done.returncode == 0, done.stderr
    page = read(tmp_path / "report-own.html")
    assert page.tables["Pair by pair"][0][-1] == "speakers helped / hurt"
    assert [row[:2] for row in page.tables["Figures"][1:]] == [["hrf=0", "2"], ["hrf=4", "2"]]
    assert page.tables["Pair by pair"][1:] == [["hrf=4", "+0.0", "+0.0 to +0.0", "0 / 0"]]
    assert [row[0] for row in page.tables["Costs"][1:]] == ["hrf=0", "hrf=4"]
    for folder in folders:
        assert f"--out={folder}" in "".join(page.words)


def part_of(study, folder, folds):
    """A study's folder with some of its folds alone."""
    shutil.copytree(study, folder)
    found = json.loads((folder / "results.json").read_text())
    for path in folder.glob("*/fold.json"):
        if json.loads(path.read_text())["fold"] not in folds:
            shutil.rmtree(path.parent)
    for key in ("folds", "history"):
        found[key] = {name: found[key][name] for name in folds}
    (folder / "results.json").write_text(json.dumps(found))
    return folder


def test_seeds_keep_their_folders_in_any_order(studies, tmp_path):
    parts = [
        part_of(studies / "0-1", tmp_path / f"0-1-{number}", names)
        for number, names in enumerate((["<b>"], ["ann", "cem"]))
    ]
    folders = [*parts, *(studies / name for name in ("0-0", "4-1", "4-0"))]
    groups = results.group(folders)
    assert [[s["settings"]["seed"] for s in seeds] for _, seeds in groups] == [[0, 1], [0, 1]]
    comparison_page.write(tmp_path / "a.html", groups, folders)
    page = read(tmp_path / "a.html")
    assert page.tables["Pair by pair"][1:] == [["hrf=4", "+0.0", "+0.0 to +0.0", "0 / 0"]]
    assert ["<b>", "12"] in [row[:2] for row in page.tables["Classes and speakers: hrf=0"]]
    command = r"--hrf=(\d) --seed=(\d) --from=none --out=\S+/(\d)-(\d)"
    given = re.findall(command, "".join(page.words))
    assert len(given) == len(folders)
    assert [one[:2] for one in given] == [one[2:] for one in given]


def test_other_seeds_are_not_paired(studies, tmp_path):
    other = shutil.copytree(studies / "4-1", tmp_path / "4-2")
    found = json.loads((other / "results.json").read_text())
    found["settings"]["seed"] = 2
    (other / "results.json").write_text(json.dumps(found))
    folders = [*(studies / name for name in ("0-0", "0-1", "4-0")), other]
    comparison_page.write(tmp_path / "a.html", results.group(folders), folders)
    (row,) = read(tmp_path / "a.html").tables["Pair by pair"][1:]
    assert row[1:3] == ["-", "Arms did not test the same seeds. Received: [0, 2]"]


def test_folds_that_were_not_asked_for_do_not_count(studies, tmp_path):
    folders = [str(studies / name) for name in ("0-0", "4-0")]
    comparison_page.write(tmp_path / "a.html", results.group(folders, ["ann"]), folders)
    rows = read(tmp_path / "a.html").tables["Classes and speakers: hrf=0"]
    assert [row[:2] for row in rows if row[0] in ("ann", "<b>", "cem")] == [["ann", "6"]]


def test_studies_that_cannot_be_paired_say_why(studies, tmp_path):
    folders = [str(studies / name) for name in ("0-0", "0-1", "4-0")]
    groups = results.group(folders)
    comparison_page.write(tmp_path / "a.html", groups, folders)
    (row,) = read(tmp_path / "a.html").tables["Pair by pair"][1:]
    assert row[1] == "-"
    assert "did not test the same seeds" in row[2]


def test_intervals_cover_what_they_should():
    """Of many corpora with a recall of 0.7, 95 % of the intervals hold it, give or take."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(150):
        rights = rng.binomial(20, 0.7, size=30)
        counts = np.zeros((1, 30, 2, 2), int)
        counts[0, :, 0, 0], counts[0, :, 0, 1] = rights, 20 - rights
        value, low, high = recalls.by_class(counts, ["a", "never"])["a"]
        assert value == pytest.approx(rights.sum() / 600)
        held.append(low <= 0.7 <= high)
    assert 0.88 <= np.mean(held) <= 1


def test_one_speaker_has_wilsons_interval():
    counts = np.array([[[[7, 3], [0, 5]]]])
    found = recalls.by_class(counts, ["a", "b"])
    # By Wilson's own formula.
    z, n, p = scipy.stats.norm.ppf(0.975), 10, 0.7
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    assert found["a"] == pytest.approx((0.7, centre - half, centre + half))
    assert found["b"][0] == 1
    assert recalls.by_group(counts, ["x"])["x"][0] == pytest.approx(12 / 15)


def test_the_best_points_are_those_that_nothing_beats():
    rng = np.random.default_rng(0)
    points = [tuple(point) for point in rng.integers(0, 20, (60, 2)).tolist()]
    best = pictures.pareto(points)
    for cost, value in best:
        assert not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
    for cost, value in set(points) - set(best):
        assert any(c <= cost and v >= value for c, v in best)
