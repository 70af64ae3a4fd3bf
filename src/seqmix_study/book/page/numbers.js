// Weights as they travel, and the few operations that all layers share. Activations are Float64Array, weights
// Float32Array. A matrix is {data, rows, columns} with rows one after another; `times(matrix, x)` is W x.

const WIDE = 0x3400; // as page_file.write_script: 32,768 characters from here on, before those that UTF-16 needs for pairs

/** The bytes of a text: base64, or fifteen bits a character, as a page's own scripts have them (a fifth shorter). */
export function bytesOf(text) {
  if (!(text.charCodeAt(0) >= WIDE)) return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const bytes = new Uint8Array((15 * text.length) >> 3);
  for (let i = 0, at = 0, bits = 0, left = 0; i < text.length; i++) {
    bits = (bits << 15) | (text.charCodeAt(i) - WIDE);
    for (left += 15; left >= 8; ) bytes[at++] = bits >> (left -= 8);
    bits &= (1 << left) - 1;
  }
  return bytes;
}

const BYTES = { int8: 1, int16: 2, int24: 3 }; // of one number; little-endian, signed

/**
 * The named tensors of an exported model. They are whole numbers times the scale of their row; the scales of all rows,
 * float32, stand before the numbers of each tensor.
 */
export function unpack(exported) {
  const bytes = bytesOf(exported.weights),
    view = new DataView(bytes.buffer),
    width = BYTES[exported.format];
  const named = {};
  let at = 0;
  for (const [name, shape] of exported.tensors) {
    const columns = shape[shape.length - 1],
      size = shape.reduce((a, b) => a * b, 1),
      rows = size / columns;
    const data = new Float32Array(size),
      scales = at;
    at += 4 * rows;
    for (let row = 0, i = 0; row < rows; row++) {
      const scale = view.getFloat32(scales + 4 * row, true);
      for (const end = i + columns; i < end; i++, at += width) {
        let whole = view.getInt8(at + width - 1);
        for (let n = width - 2; n >= 0; n--) whole = whole * 256 + bytes[at + n];
        data[i] = whole * scale;
      }
    }
    named[name] = { data, rows, columns };
  }
  return named;
}

/** W x, a new Float64Array; `bias` is added if there is one. */
export function times(matrix, x, bias) {
  const { data, rows, columns } = matrix,
    y = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let a = 0,
      b = 0,
      j = 0;
    for (; j + 1 < columns; j += 2, at += 2) {
      a += data[at] * x[j];
      b += data[at + 1] * x[j + 1];
    }
    if (j < columns) a += data[at++] * x[j];
    y[row] = a + b + (bias ? bias.data[row] : 0);
  }
  return y;
}

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));
export const silu = (x) => x * sigmoid(x);
export const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const logSigmoid = (x) => -softplus(-x);

/** x / sqrt(mean(x²) + eps) * gain over `width` numbers from `from` on, in place. */
export function rmsNorm(x, gain, eps, from = 0, width = x.length) {
  let sum = 0;
  for (let j = 0; j < width; j++) sum += x[from + j] ** 2;
  const scale = 1 / Math.sqrt(sum / width + eps);
  for (let j = 0; j < width; j++) x[from + j] *= scale * gain.data[j];
  return x;
}

/** scale · x / sqrt(|x|² + 1e-6) over `width` numbers from `from` on, in place. */
export function unit(x, from, width, scale = 1) {
  let sum = 1e-6;
  for (let j = 0; j < width; j++) sum += x[from + j] ** 2;
  const factor = scale / Math.sqrt(sum);
  for (let j = 0; j < width; j++) x[from + j] *= factor;
}

/** Turn the planes (2j, 2j + 1) of one head by position · base^(-2j / width), in place. */
export function rotate(x, from, width, position, base) {
  for (let j = 0; j < width; j += 2) {
    const angle = position * base ** (-j / width),
      c = Math.cos(angle),
      s = Math.sin(angle);
    const a = x[from + j],
      b = x[from + j + 1];
    x[from + j] = a * c - b * s;
    x[from + j + 1] = a * s + b * c;
  }
}

/** The short causal convolution of one token; `before` holds the last inputs, oldest first, and is moved on. */
export function shortConvolution(weight, x, before) {
  const taps = weight.columns,
    y = new Float64Array(x.length);
  before.push(x);
  for (let n = 0; n < taps; n++) {
    const past = before[before.length - taps + n];
    if (past) for (let c = 0; c < x.length; c++) y[c] += weight.data[c * taps + n] * past[c];
  }
  if (before.length === taps) before.shift();
  return y;
}

/** ln softmax, a new Float64Array. */
export function logSoftmax(logits) {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = top + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return logits.map((value) => value - log);
}
