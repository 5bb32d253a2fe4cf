"""The page in a browser: what it says of a file and of a microphone is what Python computes."""

import base64
import functools
import json
import os
import re
import runpy
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from needs import browser, needs, needs_tflm
from places import ROOT, TFLM
from small_models import write_model
from sounds import write_broken, write_pcm_wav, write_wav

from tfhrf.data.corpora import synthetic
from tfhrf.data.decode import decode
from tfhrf.data.windows import evaluation_windows, utterance_posteriors
from tfhrf.deploy import runners
from tfhrf.deploy.frontend import host
from tfhrf.deploy.page import wasm, writer
from tfhrf.endpoint import EndpointConfig, to_int16, utterances
from tfhrf.models.devices import DEVICES
from tfhrf.recognition.packaged import pretrained, read
from tfhrf.recognition.page import write_model_page

pytestmark = [needs("clang", "wasm-ld", "browser", "gcc"), needs_tflm]
ONE = 2**24  # parts of a posterior
RATE = 16_000
MOST_BYTES = 300_000
SECONDS = 30_000  # milliseconds that a page may take


def voice(seed, seconds=0.7):
    """An utterance, and silence behind it that ends it."""
    rng = np.random.default_rng(seed)
    spoken = synthetic.utterance(seed, list(synthetic.EMOTIONS)[seed % 4], rng)
    return np.concatenate([spoken, rng.normal(0, 0.002, int(seconds * RATE))])


@pytest.fixture(scope="module")
def model():
    return pretrained()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "the page.html"
    assert write_model_page(page, model)["page_bytes"] == page.stat().st_size < MOST_BYTES
    return page


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    """What the browser's microphone hears, once."""
    silence = np.random.default_rng(0).normal(0, 0.002, RATE // 2)
    samples = np.concatenate([silence, voice(1, 1.0)])
    return write_wav(tmp_path_factory.mktemp("microphone") / "heard.wav", samples)


@pytest.fixture(scope="module")
def chromium(microphone):
    sync_api = pytest.importorskip("playwright.sync_api")
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream"]
    arguments += ["--use-fake-device-for-media-stream"]
    arguments += [f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser(), args=arguments)
        yield started
        started.close()


@pytest.fixture
def show(chromium):
    """Opens a page; it keeps the windows that the model has seen. No error, no request but it."""
    context = chromium.new_context()
    context.set_default_timeout(SECONDS)
    found = []

    def shown(path, until="#listen:enabled"):
        tab = context.new_page()
        tab.on("pageerror", lambda error: found.append(str(error)))
        tab.on("request", lambda request: found.append(request.url))
        tab.goto(path.as_uri())
        tab.wait_for_selector(until)
        tab.evaluate(
            "() => { seen = []; const own = on.window; on.window = (levels, ...rest) => {"
            " seen.push([...levels]); own(levels, ...rest); } }"
        )
        assert found.pop(0) == path.as_uri()
        return tab

    yield shown
    context.close()
    assert [one for one in found if not one.startswith("blob:")] == []


def wait_for_answers(tab, count):
    tab.wait_for_selector(f"#rows[aria-busy=false] tr:nth-child({count})")


def answers(tab):
    return json.loads(tab.evaluate("answersAsJson()"))


front_end = functools.cache(host.make)


def check(tab, samples, model):
    """Asserts that a page has said of 16-bit samples what Python computes; how many answers."""
    config = model.config
    _, (details,), (output,) = runners.load(model.int8)
    scale, zero_point = runners.scale_and_zero_point(details)
    levels = front_end(config, scale, zero_point)(samples)
    rule = EndpointConfig.at(config.sample_rate, config.hop)
    said, seen = answers(tab), iter(tab.evaluate("seen"))
    assert said["labels"] == list(model.labels)
    found = said["utterances"]
    assert [(one["start"], one["end"]) for one in found] == utterances(samples, rule)
    for one in found:
        frames = slice(one["start"] // config.hop, one["end"] // config.hop)
        last = (one["end"] - one["start"] - config.frame_length) // config.hop + 1
        features = (levels[frames][:last].astype(np.float32) - zero_point) * np.float32(scale)
        windows = evaluation_windows(features, model.frames, config.hop_frames, config)
        quantized = runners.quantize(windows, details)
        for window in quantized:
            np.testing.assert_array_equal(next(seen), window.ravel())
        logits = runners.invoke(model.int8, quantized)
        np.testing.assert_array_equal(one["logits"], logits)
        step, _ = runners.scale_and_zero_point(output)
        (exact,) = utterance_posteriors(logits * step, [len(logits)])
        np.testing.assert_allclose(np.array(one["posterior"]) / ONE, exact, rtol=0, atol=3 / ONE)
        assert one["class"] == model.labels[exact.argmax()]
    assert next(seen, None) is None
    return len(found)


def test_a_file_gives_the_posteriors_of_python(path, model, show, tmp_path):
    wave_ = np.concatenate([voice(seed) for seed in (1, 2, 3)])
    # Several windows.
    wave_ = np.concatenate([np.tile(voice(4, 0.1), 3), voice(5), wave_])
    sound = write_wav(tmp_path / "sound.wav", wave_)
    tab = show(path)
    tab.set_input_files("#file", sound)
    wait_for_answers(tab, 4)
    assert check(tab, np.round(wave_ * 32767).astype(np.int16), model) == 4
    newest = answers(tab)["utterances"][-1]
    label, part = newest["class"], max(newest["posterior"]) / ONE
    times = f"{newest['start'] / RATE:.2f} s to {newest['end'] / RATE:.2f} s"
    assert tab.inner_text("#status") == f"{times}: {label}, {100 * part:.1f} %."
    assert tab.inner_text("#answer") == label
    cells = tab.locator("#rows tr").first.locator("td").all_inner_texts()
    parts = [f"{100 * part / ONE:.1f} %" for part in newest["posterior"]]
    assert cells == [times, label, *parts]
    assert tab.locator("#bars b").all_inner_texts() == parts
    with tab.expect_download() as download:
        tab.click("#save-answers")
    assert json.loads(download.value.path().read_text()) == answers(tab)


def test_the_microphone_gives_the_posteriors_of_python(path, model, show, microphone):
    tab = show(path)
    tab.click("#listen")
    tab.wait_for_selector("#rows tr")
    assert tab.get_attribute("#listen", "aria-pressed") == "true"
    tab.click("#listen")
    wait_for_answers(tab, 1)
    assert tab.get_attribute("#listen", "aria-pressed") == "false"
    with tab.expect_download() as download:
        tab.click("#save-sound")
    heard = samples_of(download.value.path())
    assert check(tab, heard, model) == 1
    # The browser has changed the rate and back, and its microphone begins when it likes.
    (begins, ends), *_ = utterances(heard, EndpointConfig.at(RATE, model.config.hop))
    # Most of it, if the machine is busy.
    assert alike(heard[begins:ends], samples_of(microphone)) > 0.7


def alike(one, other):
    """Cosine of two sounds, wherever they lie."""
    one, other = (np.asarray(sound, float) for sound in (one, other))
    size = len(one) + len(other)
    products = np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size))
    return np.fft.irfft(products, size).max() / np.linalg.norm(one) / np.linalg.norm(other)


def samples_of(path, rate=RATE):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


DROP = """(text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], "dropped.wav"));
  document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, bubbles: true}));
}"""


@pytest.mark.parametrize("kind", ["24 bits", "float, 44.1 kHz, two channels"])
def test_other_files_are_decoded_by_the_browser(kind, path, model, show, tmp_path):
    samples = voice(6)
    if kind == "24 bits":
        sound = write_pcm_wav(tmp_path / "sound.wav", samples, 24)
    else:
        sound = tmp_path / "sound.wav"
        two = np.stack([samples, np.zeros_like(samples)], axis=1)
        soundfile.write(sound, soxr.resample(two, RATE, 44_100), 44_100, "FLOAT")
    tab = show(path)
    tab.evaluate(DROP, base64.b64encode(sound.read_bytes()).decode())
    wait_for_answers(tab, 1)
    with tab.expect_download() as download:
        tab.click("#save-sound")
    heard = samples_of(download.value.path())
    (decoded,) = decode([sound], RATE)
    expected = to_int16(decoded)
    check(tab, heard, model)
    if kind == "24 bits":
        np.testing.assert_array_equal(heard, expected)
    else:
        # Each has a filter of its own.
        assert abs(len(heard) - len(expected)) < 2
        assert alike(heard, expected) > 0.999


def test_a_sound_ends_the_one_before_it(path, model, show, tmp_path):
    tab = show(path)
    long = write_wav(tmp_path / "long.wav", np.tile(voice(7), 20))
    tab.set_input_files("#file", long)
    tab.wait_for_selector("#rows tr")
    samples = voice(8)
    tab.evaluate("() => { const own = beginSound; beginSound = (s) => { own(s); seen = []; } }")
    tab.set_input_files("#file", write_wav(tmp_path / "short.wav", samples))
    tab.wait_for_selector("#rows[aria-busy=false] tr:only-child")
    assert check(tab, np.round(samples * 32767).astype(np.int16), model) == 1


def test_what_cannot_be_heard_is_said(path, show, tmp_path):
    tab = show(path)
    for kind in ("junk", "empty"):
        broken = write_broken(tmp_path, kind)
        tab.set_input_files("#file", broken)
        tab.get_by_text(f"The browser cannot decode {kind}.wav").wait_for()
    tab.set_input_files("#file", write_wav(tmp_path / "silence.wav", np.zeros(RATE)))
    tab.get_by_text("There is no utterance in silence.wav.").wait_for()
    assert answers(tab)["utterances"] == []


def test_nothing_can_leave_the_page(path, show):
    tab = show(path)
    send = "() => fetch('https://localhost/').then(() => 'sent', (error) => error.name)"
    assert tab.evaluate(send) == "TypeError"
    policy = tab.get_attribute("meta[http-equiv]", "content")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert re.findall(r"(?:src|href)=\"(?!data:,)", path.read_text()) == []


def test_the_rate_of_a_microphone_is_changed(path, show):
    tab = show(path)
    run = """([rate, hertz, size]) => {
      const resample = makeResampler(rate, 16000);
      const sample = (_, i) => Math.sin(2 * Math.PI * hertz * i / rate);
      const wave = Float32Array.from({length: rate}, sample);
      const blocks = [];
      for (let first = 0; first < rate; first += size) {
        blocks.push(...resample(wave.subarray(first, first + size)));
      }
      return blocks;
    }"""
    for rate in (8_000, 44_100, 48_000, 96_000):
        found = np.array(tab.evaluate(run, [rate, 1000, 1024]))
        expected = np.sin(2 * np.pi * 1000 * np.arange(len(found)) / RATE)
        assert len(found) == pytest.approx(RATE, abs=100)
        np.testing.assert_allclose(found[200:], expected[200:], atol=2e-3)
        np.testing.assert_array_equal(found, tab.evaluate(run, [rate, 1000, 77]))
        if rate > RATE:
            # Above half the rate: gone, and not folded back.
            assert np.abs(tab.evaluate(run, [rate, 10_000, 1024])[200:]).max() < 2e-3


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    config = DEVICES["tiny"]["config"]
    return write_model(tmp_path_factory.mktemp("small") / "a <b>model</b>", config)


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_a_front_end_may_have_another_rate(rate, small, show, tmp_path):
    page = tmp_path / "page.html"
    write_model_page(page, small)
    tab = show(page)
    samples = soxr.resample(voice(9), RATE, rate)
    tab.set_input_files("#file", write_wav(tmp_path / "sound.wav", samples, rate))
    wait_for_answers(tab, 1)
    with tab.expect_download() as download:
        tab.click("#save-sound")
    heard = samples_of(download.value.path(), 8000)
    assert check(tab, heard, read(small)) == 1
    if rate == 8000:
        np.testing.assert_array_equal(heard, np.round(samples * 32767))


def test_words_are_words_wherever_they_stand(small, show, tmp_path):
    model = read(small)
    labels = ["</script><i>", "calm & glad", "\u2028'\""]
    page = tmp_path / "page.html"
    report = writer.write_page(
        model.int8,
        model.config,
        page,
        name="<i>{{SCRIPT}}",
        labels=labels,
        summary="a < b",
        costs=writer.Costs("Cortex-M0", 1_250_000, 2_000_000, 3000, 40_000),
    )
    assert report["page_bytes"] == page.stat().st_size < MOST_BYTES
    assert report["labels"] == labels
    tab = show(page)
    assert tab.title() == "<i>{{SCRIPT}} listens"
    assert tab.inner_text("header p") == "<i>{{SCRIPT}} a < b"
    assert tab.locator("#bars span").all_text_contents() == labels
    tab.set_input_files("#file", write_wav(tmp_path / "sound.wav", voice(9)))
    wait_for_answers(tab, 1)
    assert tab.get_by_text("2.0 million instructions").count() == 1
    assert tab.locator(".caution").is_hidden()


def test_a_program_that_computes_otherwise_says_so(small, show, tmp_path, monkeypatch):
    compile_program = wasm.compile_program

    def spoilt(folder):
        golden = Path(folder) / "model_golden.h"
        text, output = re.match(
            r"(.*model_golden_output\S* = \{\s*)(.*)", golden.read_text(), re.S
        ).groups()
        value = int(re.match(r"-?\d+", output)[0])
        golden.write_text(text + re.sub(r"-?\d+", str(value ^ 1), output, count=1))
        return compile_program(folder)

    monkeypatch.setattr(writer, "compile_program", spoilt)
    page = tmp_path / "page.html"
    write_model_page(page, small)
    tab = show(page, "text=The model's golden output differs.")
    assert tab.is_disabled("#listen")
    tab.evaluate(DROP, "AAAA")
    assert tab.inner_text("#status").startswith("The program cannot work: ")


def test_what_is_missing_is_one_line(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"clang and lld\. Received: no `clang` on the path$"):
        write_model_page(tmp_path / "page.html", small)
    assert list(tmp_path.iterdir()) == []


@needs("arm-none-eabi-gcc", "qemu-system-arm", "make")
def test_the_demo_prints_what_the_page_says(path, show, tmp_path):
    done = subprocess.run(
        [sys.executable, str(TFLM / "demo.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BUILD": str(tmp_path / "build")},
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^mps2-an386, int8 +(.*)   (\S+)$", done.stdout, re.MULTILINE)
    tab = show(path)
    tab.set_input_files("#file", tmp_path / "runs/demo/sound.wav")
    wait_for_answers(tab, 3)
    found = answers(tab)["utterances"]
    assert [label for _, label in rows] == [one["class"] for one in found]
    on_board = np.array([row.split() for row, _ in rows], float)
    on_page = np.array([one["posterior"] for one in found]) / ONE
    np.testing.assert_allclose(on_board, on_page, rtol=0, atol=0.51e-6)
    in_python = re.findall(r"^Python, int8 +(.*)   \S+$", done.stdout, re.MULTILINE)
    # Its frames are rounded from floats: a few are another level.
    np.testing.assert_allclose(
        np.array([row.split() for row in in_python], float), on_page, rtol=0, atol=0.02
    )


def test_make_page_shows_what_a_board_costs(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["write_page.py", f"--model={small}", "--out=my.html"])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(TFLM / "write_page.py"), run_name="__main__")
    printed = capsys.readouterr().out
    place, size = re.fullmatch(r"(file://\S+): ([\d,]+) bytes\n", printed).groups()
    page = tmp_path / "my.html"
    assert place == page.as_uri()
    assert int(size.replace(",", "")) == page.stat().st_size
    (known,) = re.findall(r"<script type=\"application/json\".*?>(.*?)<", page.read_text())
    costs = json.loads(known)["costs"]
    assert costs["processor"] == "Cortex-M4"
    # As docs/firmware.md has it of this front end.
    assert costs["second"] == pytest.approx(0.6e6, rel=0.1)
    assert 10_000 < costs["window"] < 300_000
    assert 1000 < costs["ram"] < 10_000 < costs["flash"] < 40_000
