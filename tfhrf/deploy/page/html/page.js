const LIVE = 12; // seconds that are shown of what a microphone hears
const LONGEST = 60; // seconds that are shown of a file, and kept of frames
const KEPT = 600; // seconds of sound that can be saved
const ONE = 2 ** 24;

const known = JSON.parse(document.getElementById("known").textContent);
const element = (id) => document.getElementById(id);
const say = (words) => {
  element("status").textContent = words;
};
const percent = (part) => `${((100 * part) / ONE).toFixed(1)} %`;
const millions = (count) => `${(count / 1e6).toFixed(1)} million`;
const number = (count) => count.toLocaleString("en");
const best = (posterior) => posterior.indexOf(Math.max(...posterior));

let program = null;
let broken = false; // whether the program has said that it cannot work
let heard = null; // of the sound at hand
let running = false; // whether there will be more of it
let shown = LIVE; // seconds in the pictures
let close = null; // of an open microphone
let turn = 0; // of sounds: a later one ends those before it
let due = false; // whether pictures will be drawn

function setRunning(is) {
  running = is;
  element("rows").setAttribute("aria-busy", String(is));
}

function beginSound(seconds) {
  if (running) {
    endSound();
  }
  setRunning(true);
  heard = { samples: 0, sound: [], frames: [], first: 0, utterances: [], windows: 0, modelMs: 0 };
  shown = seconds;
  element("rows").replaceChildren();
  element("save-answers").disabled = true;
  element("save-sound").disabled = true;
  showLatest("\u2013", null);
  draw();
}

function take(samples) {
  heard.samples += samples.length;
  if (heard.samples <= KEPT * known.rate) {
    heard.sound.push(samples);
  }
  program.take(samples);
  draw();
}

function endSound() {
  setRunning(false);
  program.end();
  element("save-sound").disabled = heard.samples === 0;
  draw();
}

/* What the program says. */
const on = {
  frame(levels) {
    heard.frames.push(levels);
    const most = (LONGEST * known.rate) / known.hop;
    if (heard.frames.length > 2 * most) {
      heard.frames = heard.frames.slice(-most);
      heard.first += most;
    }
  },
  begin(start) {
    heard.utterances.push({ start: start, end: start, windows: [], posterior: null });
    heard.utterances.splice(0, heard.utterances.length - 1000);
  },
  window(levels, logits, posterior) {
    const utterance = heard.utterances.at(-1);
    const frames = known.window + utterance.windows.length * known.windowHop;
    const samples = utterance.start + (frames - 1) * known.hop + known.frameLength;
    utterance.end = samples;
    utterance.windows.push({ logits: [...logits], posterior, end: samples / known.rate });
    heard.windows += 1;
    showLatest(`${known.labels[best(posterior)]}?`, posterior);
  },
  answer(said) {
    const utterance = heard.utterances.at(-1);
    Object.assign(utterance, { end: said.end, posterior: said.posterior });
    // The last window ends with the utterance.
    utterance.windows.at(-1).end = said.end / known.rate;
    heard.modelMs += said.modelMs;
    showLatest(known.labels[best(said.posterior)], said.posterior);
    addRow(utterance);
    showCosts();
  },
  failure(words) {
    broken = true;
    say(`The program cannot work: ${words}.`);
  },
};

function showLatest(words, posterior) {
  element("answer").textContent = words;
  known.labels.forEach((label, index) => {
    const row = element("bars").children[index];
    const part = posterior === null ? 0 : posterior[index];
    row.querySelector("b").textContent = posterior === null ? "" : percent(part);
    row.querySelector("i").style.width = `${(100 * part) / ONE}%`;
  });
}

function span(utterance) {
  return [utterance.start, utterance.end].map((one) => `${(one / known.rate).toFixed(2)} s`).join(" to ");
}

/* The newest first. */
function addRow(utterance) {
  const cells = [span(utterance), known.labels[best(utterance.posterior)], ...utterance.posterior.map(percent)];
  const row = document.createElement("tr");
  for (const words of cells) {
    const cell = document.createElement("td");
    cell.textContent = words;
    row.append(cell);
  }
  element("rows").prepend(row);
  element("save-answers").disabled = false;
  say(`${cells[0]}: ${cells[1]}, ${percent(Math.max(...utterance.posterior))}.`);
}

function showCosts() {
  const rows = [
    ["model: constants, memory", `${number(known.constants)}, ${number(known.memory)} bytes`],
    ["this page's program", `${number(program.bytes)} bytes`],
  ];
  const costs = known.costs;
  if (costs !== null) {
    rows.push([`${costs.processor}: a window of the model`, `${millions(costs.window)} instructions`]);
    rows.push([`${costs.processor}: a second of sound`, `${millions(costs.second)} instructions`]);
    rows.push([`${costs.processor}: flash, RAM`, `${number(costs.flash)}, ${number(costs.ram)} bytes`]);
  }
  if (heard !== null && heard.windows > 0) {
    const seconds = heard.samples / known.rate;
    rows.push(["a window of the model in this browser", `${(heard.modelMs / heard.windows).toFixed(1)} ms`]);
    if (costs !== null) {
      const all = seconds * costs.second + heard.windows * costs.window;
      const words = `this sound on a ${costs.processor}: ${seconds.toFixed(1)} s, windows: ${heard.windows}`;
      rows.push([words, `${millions(all)} instructions`]);
    }
  }
  element("figures").replaceChildren(
    ...rows.map(([term, value]) => {
      const group = document.createElement("div");
      group.append(document.createElement("dt"), document.createElement("dd"));
      group.children[0].textContent = term;
      group.children[1].textContent = value;
      return group;
    }),
  );
}

function draw() {
  if (!due) {
    due = true;
    requestAnimationFrame(() => {
      due = false;
      const seconds = heard === null ? 0 : heard.samples / known.rate;
      const to = Math.max(seconds, shown);
      const view = { from: to - shown, to: to };
      const empty = { frames: [], first: 0, utterances: [] };
      drawFrames(element("frames"), heard || empty, known, view);
      drawPosteriors(element("posteriors"), heard || empty, known, view);
    });
  }
}

const pause = () => new Promise((done) => setTimeout(done, 0));

async function stopListening() {
  if (close !== null) {
    const closing = close;
    close = null;
    element("listen").setAttribute("aria-pressed", "false");
    element("listen").textContent = "Listen";
    await closing();
    endSound();
  }
}

async function listen() {
  if (close !== null) {
    await stopListening();
    return;
  }
  turn += 1;
  say("Waiting for the microphone.");
  const mine = turn;
  let opened = null;
  try {
    opened = await openMicrophone(known.rate, (samples) => {
      if (opened !== null && opened === close) {
        take(samples);
      }
    });
    if (mine !== turn) {
      await opened();
      return;
    }
    beginSound(LIVE);
    close = opened;
  } catch (error) {
    say(`There is no microphone: ${error.message}.`);
    return;
  }
  element("listen").setAttribute("aria-pressed", "true");
  element("listen").textContent = "Stop";
  say("Listening. Speak; the answer comes half a second after you stop.");
}

async function hearFile(file) {
  if (program === null || broken) {
    return;
  }
  turn += 1;
  const mine = turn;
  await stopListening();
  say(`Reading ${file.name}.`);
  let samples = null;
  try {
    samples = await decodeFile(await file.arrayBuffer(), known.rate);
  } catch (error) {
    say(`The browser cannot decode ${file.name}: ${error.message}`);
    return;
  }
  if (mine !== turn) {
    return;
  }
  beginSound(Math.min(LONGEST, Math.max(1, samples.length / known.rate)));
  for (let first = 0; first < samples.length && mine === turn; first += 5 * known.rate) {
    take(samples.subarray(first, first + 5 * known.rate));
    await pause();
  }
  if (mine === turn) {
    endSound();
    if (heard.utterances.length === 0) {
      say(`There is no utterance in ${file.name}.`);
    }
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/* Posteriors in parts of 2^24, times in samples. */
function answersAsJson() {
  const utterances = heard.utterances
    .filter((one) => one.posterior !== null)
    .map((one) => ({
      start: one.start,
      end: one.end,
      class: known.labels[best(one.posterior)],
      posterior: one.posterior,
      logits: one.windows.map((window) => window.logits),
    }));
  return JSON.stringify({ labels: known.labels, rate: known.rate, utterances }, null, 1);
}

function arrange() {
  known.labels.forEach((label, index) => {
    const row = document.createElement("li");
    const track = document.createElement("div");
    track.append(document.createElement("i"));
    track.firstChild.style.background = colourOf(index);
    row.append(document.createElement("span"), document.createElement("b"), track);
    row.firstChild.textContent = label;
    element("bars").append(row);
    const head = document.createElement("th");
    head.scope = "col";
    head.textContent = label;
    element("heads").append(head);
  });
  const seconds = (frames) => ((frames * known.hop) / known.rate).toFixed(1);
  element("rhythm").textContent =
    `The model sees ${seconds(known.window)} s, every ${seconds(known.windowHop)} s, or a shorter utterance as a whole.`;
}

function react() {
  element("listen").addEventListener("click", listen);
  element("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file !== undefined) {
      hearFile(file);
    }
  });
  element("save-answers").addEventListener("click", () =>
    save(new Blob([answersAsJson()], { type: "application/json" }), "answers.json"),
  );
  element("save-sound").addEventListener("click", () => save(wavOf(heard.sound, known.rate), "heard.wav"));
  const dropping = (event, is) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", is);
  };
  document.addEventListener("dragover", (event) => dropping(event, true));
  document.addEventListener("dragleave", (event) => dropping(event, false));
  document.addEventListener("drop", (event) => {
    dropping(event, false);
    const [file] = event.dataTransfer.files;
    if (file !== undefined) {
      hearFile(file);
    }
  });
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

async function start() {
  arrange();
  react();
  draw();
  try {
    program = await startProgram(known, on);
  } catch (error) {
    say(`This browser cannot run the program: ${error.message}`);
    return;
  }
  showCosts();
  if (!broken) {
    element("listen").disabled = false;
    element("file").disabled = false;
    say("Ready.");
  }
}

start();
