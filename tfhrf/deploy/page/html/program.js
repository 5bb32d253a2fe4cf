"use strict";

/* Starts the C of the device. `on` has a function for each of what it says: frame(levels),
 * begin(start), window(levels, logits, posterior), answer({start, end, windows, posterior,
 * frontendMs, modelMs}), failure(words). */
async function startProgram(known, on) {
  const classes = known.labels.length;
  let program = null;
  const levels = (at, count) => new Int8Array(program.memory.buffer, at, count).slice();
  const posterior = (at) => Array.from(new Uint32Array(program.memory.buffer, at, classes));
  const words = (at) => {
    const bytes = new Uint8Array(program.memory.buffer, at);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  };
  const called = {
    now: () => performance.now(),
    frame: (at) => on.frame(levels(at, known.mels)),
    begin: (start) => on.begin(start >>> 0),
    window: (at, logits, parts) =>
      on.window(levels(at, known.window * known.mels), levels(logits, classes), posterior(parts)),
    answer: (start, end, windows, parts, frontendMs, modelMs) =>
      on.answer({
        start: start >>> 0,
        end: end >>> 0,
        windows: windows,
        posterior: posterior(parts),
        frontendMs: frontendMs,
        modelMs: modelMs,
      }),
    failure: (at) => on.failure(words(at)),
  };
  const bytes = Uint8Array.from(atob(known.program), (letter) => letter.charCodeAt(0));
  const started = await WebAssembly.instantiate(bytes, { page: called });
  program = started.instance.exports;
  program.setup();
  return {
    bytes: bytes.length,
    /* 16-bit samples, any number of them. */
    take(samples) {
      const most = 4096;
      for (let first = 0; first < samples.length; first += most) {
        const part = samples.subarray(first, first + most);
        new Int16Array(program.memory.buffer, program.samples(), part.length).set(part);
        program.take(part.length);
      }
    },
    /* The sound is over; another one may follow. */
    end: () => program.end(),
  };
}
