/* Apart for readers who see few colours too; in the order of the classes, around and around. */
const COLOURS = ["#d55e00", "#e69f00", "#009e73", "#0072b2", "#cc79a7", "#56b4e9", "#8c6d1f", "#7f7f7f"];
const colourOf = (index) => COLOURS[index % COLOURS.length];
/* From silence to the loudest: red, green, blue. */
const HEAT = [
  [13, 17, 38],
  [44, 37, 105],
  [122, 40, 126],
  [205, 68, 95],
  [247, 145, 82],
  [252, 238, 180],
];
/* Of each level a pixel, its bytes red, green, blue, opacity. */
const PALETTE = Uint32Array.from({ length: 256 }, (_, level) => {
  const place = (level / 255) * (HEAT.length - 1);
  const low = Math.min(Math.floor(place), HEAT.length - 2);
  const mixed = HEAT[low].map((value, i) => Math.round(value + (place - low) * (HEAT[low + 1][i] - value)));
  return new Uint32Array(Uint8Array.from([...mixed, 255]).buffer)[0];
});
const MARGIN = { left: 54, right: 6, top: 6, bottom: 22 };

/* Makes a canvas as fine as the screen; returns what to draw on it with, in CSS pixels. */
function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const ink = getComputedStyle(document.documentElement);
  const box = {
    left: MARGIN.left,
    top: MARGIN.top,
    width: Math.max(1, width - MARGIN.left - MARGIN.right),
    height: Math.max(1, height - MARGIN.top - MARGIN.bottom),
  };
  return { pen, box, soft: ink.getPropertyValue("--soft"), line: ink.getPropertyValue("--line") };
}

/* Seconds to pixels. */
const scaleOf = (box, view) => (seconds) => box.left + ((seconds - view.from) / (view.to - view.from)) * box.width;

function drawSeconds({ pen, box, soft }, view) {
  const x = scaleOf(box, view);
  const most = Math.max(2, box.width / 60);
  const step = [0.2, 0.5, 1, 2, 5, 10, 20].find((one) => (view.to - view.from) / one <= most) || 60;
  pen.fillStyle = soft;
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "center";
  for (let i = Math.ceil(view.from / step); i * step <= view.to; i += 1) {
    pen.fillText(`${Number((i * step).toFixed(1))} s`, Math.min(x(i * step), box.left + box.width - 8), box.top + box.height + 16);
  }
}

function drawHeight({ pen, box, soft }, words, share) {
  pen.fillStyle = soft;
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.fillText(words, box.left - 6, box.top + (1 - share) * box.height + 4);
}

/* The share of the picture's height at which a frequency lies. */
function heightOf(hertz, known) {
  const mel = (f) => Math.log(1 + f / 700);
  const low = mel(known.lowerHz);
  return (((mel(hertz) - low) / (mel(known.upperHz) - low)) * (known.mels + 1) - 0.5) / known.mels;
}

/* The frames of a view, and lines under the utterances. `heard` has `frames`, the number of the
 * `first` of them, `utterances` with start and end in samples, and so many `samples`. */
function drawFrames(canvas, heard, known, view) {
  const drawing = prepare(canvas);
  const { pen, box } = drawing;
  const x = scaleOf(box, view);
  const seconds = known.hop / known.rate;
  pen.fillStyle = `rgb(${HEAT[0]})`;
  pen.fillRect(box.left, box.top, box.width, box.height);
  const shown = heard.frames.slice(Math.max(0, Math.floor(view.from / seconds) - heard.first));
  if (shown.length > 0) {
    const image = new ImageData(shown.length, known.mels);
    const pixels = new Uint32Array(image.data.buffer);
    shown.forEach((frame, column) => {
      frame.forEach((level, mel) => {
        pixels[(known.mels - 1 - mel) * shown.length + column] = PALETTE[level + 128];
      });
    });
    const picture = new OffscreenCanvas(shown.length, known.mels);
    picture.getContext("2d").putImageData(image, 0, 0);
    const first = heard.first + heard.frames.length - shown.length;
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top, box.width, box.height);
    pen.clip();
    pen.drawImage(picture, x(first * seconds), box.top, x((first + shown.length) * seconds) - x(first * seconds), box.height);
    pen.fillStyle = "#7fe8d6";
    for (const one of heard.utterances) {
      // One without an answer goes on.
      const last = one.posterior === null ? heard.samples : one.end;
      const [start, end] = [x(one.start / known.rate), x(last / known.rate)];
      pen.fillRect(start, box.top + box.height - 4, end - start, 4);
      pen.fillRect(start, box.top, 1, box.height);
      pen.fillRect(end - 1, box.top, 1, box.height);
    }
    pen.restore();
  }
  for (const hertz of [250, 500, 1000, 2000, 4000].filter((one) => one < known.upperHz)) {
    drawHeight(drawing, hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`, heightOf(hertz, known));
  }
  drawSeconds(drawing, view);
}

/* A column for each window of each utterance, from where the one before it ended. */
function drawPosteriors(canvas, heard, known, view) {
  const drawing = prepare(canvas);
  const { pen, box, line } = drawing;
  const x = scaleOf(box, view);
  pen.strokeStyle = line;
  pen.strokeRect(box.left, box.top, box.width, box.height);
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.width, box.height);
  pen.clip();
  for (const one of heard.utterances) {
    let left = one.start / known.rate;
    for (const window of one.windows) {
      let top = box.top;
      window.posterior.forEach((part, index) => {
        const height = (part / 2 ** 24) * box.height;
        pen.fillStyle = colourOf(index);
        pen.fillRect(x(left), top, Math.max(1, x(window.end) - x(left) - 1), height);
        top += height;
      });
      left = window.end;
    }
  }
  pen.restore();
  ["0", "50 %", "100 %"].forEach((words, i) => drawHeight(drawing, words, i / 2));
  drawSeconds(drawing, view);
}
