/* Samples in [-1, 1) as 16-bit integers, clipped; halves go to even ones, as in Python. */
function toInt16(wave) {
  return Int16Array.from(wave, (x) => {
    const up = Math.round(x * 32768);
    const rounded = up - x * 32768 === 0.5 && up % 2 !== 0 ? up - 1 : up;
    return Math.max(-32768, Math.min(32767, rounded));
  });
}

/* The 16-bit samples of a file that the browser can decode, at a rate. */
async function decodeFile(bytes, rate) {
  const exact = samplesOfWav(bytes, rate);
  if (exact !== null) {
    return exact;
  }
  // The context's rate is the one that it decodes to.
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  const mean = new Float32Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    decoded.getChannelData(channel).forEach((value, i) => {
      mean[i] += value / decoded.numberOfChannels;
    });
  }
  return toInt16(mean);
}

/* The samples as they are of 16-bit PCM at this rate with one channel; null for all else. */
function samplesOfWav(bytes, rate) {
  const view = new DataView(bytes);
  const word = (at) => String.fromCharCode(...new Uint8Array(bytes, at, 4));
  if (view.byteLength < 12 || word(0) !== "RIFF" || word(8) !== "WAVE") {
    return null;
  }
  let known = false;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (word(at) === "fmt " && body + 16 <= view.byteLength) {
      known =
        view.getUint16(body, true) === 1 &&
        view.getUint16(body + 2, true) === 1 &&
        view.getUint32(body + 4, true) === rate &&
        view.getUint16(body + 14, true) === 16;
    } else if (word(at) === "data") {
      const count = Math.min(size, view.byteLength - body) >> 1;
      return known ? Int16Array.from({ length: count }, (_, i) => view.getInt16(body + 2 * i, true)) : null;
    }
    at = body + size + (size % 2);
  }
  return null;
}

/* A WAV file of 16-bit samples. */
function wavOf(parts, rate) {
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const put = (at, letters) => [...letters].forEach((one, i) => view.setUint8(at + i, one.charCodeAt(0)));
  put(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  put(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const part of parts) {
    for (const sample of part) {
      view.setInt16(at, sample, true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}

/* A function from blocks at one rate to blocks at another, for a stream: not every browser connects
 * a microphone to a context of another rate. A sinc in a Hann window, which passes 97 % of the
 * lower band. */
function makeResampler(from, to) {
  if (from === to) {
    return (block) => block;
  }
  const cut = 0.97 * Math.min(1, to / from);
  const half = Math.ceil(48 / cut);
  const rows = new Map();
  const rowAt = (fraction) => {
    if (!rows.has(fraction)) {
      const row = Float64Array.from({ length: 2 * half }, (_, i) => {
        const t = i - half + 1 - fraction / to;
        const angle = Math.PI * cut * t;
        const sinc = t === 0 ? cut : Math.sin(angle) / (Math.PI * t);
        return sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / (half + 1)));
      });
      rows.set(fraction, row);
    }
    return rows.get(fraction);
  };
  let held = new Float32Array(half - 1);
  let middle = half - 1; // of the next sample: the one in `held` at or before it
  let fraction = 0; // what lies between them, in parts of `to`
  return (block) => {
    const all = new Float32Array(held.length + block.length);
    all.set(held);
    all.set(block, held.length);
    const made = [];
    while (middle + half < all.length) {
      const row = rowAt(fraction);
      let sum = 0;
      for (let i = 0; i < 2 * half; i += 1) {
        sum += row[i] * all[middle - half + 1 + i];
      }
      made.push(sum);
      middle += Math.floor((fraction + from) / to);
      fraction = (fraction + from) % to;
    }
    const done = Math.min(middle - half + 1, all.length);
    held = all.slice(done);
    middle -= done;
    return Float32Array.from(made);
  };
}

/* Runs where the browser computes sound: hands on what comes, 1024 samples at a time. */
const TAP = `
registerProcessor("tap", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(1024);
    this.filled = 0;
  }
  process([[channel]]) {
    if (channel !== undefined) {
      this.block.set(channel, this.filled);
      this.filled += channel.length;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block);
        this.filled = 0;
      }
    }
    return true;
  }
});`;

/* Calls take(16-bit samples) until the function that it returns is called. */
async function openMicrophone(rate, take) {
  if (navigator.mediaDevices === undefined) {
    throw new Error("this browser gives a microphone to pages of https: or localhost only");
  }
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const context = new AudioContext();
  // Not a blob: pages of file: may not load a worklet from one.
  const module = `data:text/javascript,${encodeURIComponent(TAP)}`;
  const close = () => {
    stream.getTracks().forEach((track) => track.stop());
    return context.close();
  };
  try {
    await context.audioWorklet.addModule(module);
    const resample = makeResampler(context.sampleRate, rate);
    const tap = new AudioWorkletNode(context, "tap", { channelCount: 1, channelCountMode: "explicit" });
    tap.port.onmessage = (message) => take(toInt16(resample(message.data)));
    // It says nothing, but only what leads to the destination is computed everywhere.
    context.createMediaStreamSource(stream).connect(tap).connect(context.destination);
    await context.resume();
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}
