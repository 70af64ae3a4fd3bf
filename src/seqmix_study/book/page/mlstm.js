// Mixer M: the LSTM with a matrix as its memory; the normaliser is one more column of it, m keeps exp() from overflowing.
//   q, k, v = conv(W x) ,  k <- k / sqrt(K) ;  m' = max(ln f + m, i, 0) ;  C <- e^(ln f + m - m') C + e^(i - m') k [v, 1]ᵀ
//   h = (Cᵀ q)[:V] / max(|(Cᵀ q)[V]|, e^(-m')) ;  y = W_o (RMSNorm(h) * σ(gate))
import { logSigmoid, rmsNorm, rotate, shortConvolution, sigmoid, times } from "./numbers.js";

export function mlstm(config, w, letter) {
  const heads = config.n_heads,
    valueWidth = config.d_model / heads,
    values = heads * valueWidth,
    columns = valueWidth + 1;
  const keyWidth = (w["qkv.weight"].rows - values) / 2 / heads,
    keys = heads * keyWidth,
    bias = w.gate_bias.data;
  const turned = config.rope.includes(letter);

  function update(state, h, packed, input, forget, out) {
    const start = h * keyWidth * columns,
      before = forget + state.stabiliser[h];
    const m = Math.max(before, input, 0),
      keep = Math.exp(before - m),
      write = Math.exp(input - m);
    const read = new Float64Array(columns);
    for (let i = 0; i < keyWidth; i++) {
      const q = packed[h * keyWidth + i],
        k = packed[keys + h * keyWidth + i] / Math.sqrt(keyWidth);
      for (let j = 0; j < columns; j++) {
        const at = start + i * columns + j,
          value = j < valueWidth ? packed[2 * keys + h * valueWidth + j] : 1;
        state.memory[at] = keep * state.memory[at] + write * k * value;
        read[j] += q * state.memory[at];
      }
    }
    state.stabiliser[h] = m;
    const size = Math.max(Math.abs(read[valueWidth]), Math.exp(-m));
    for (let j = 0; j < valueWidth; j++) out[h * valueWidth + j] = read[j] / size;
  }

  return {
    start: () => ({
      position: 0,
      memory: new Float64Array(heads * keyWidth * columns),
      stabiliser: new Float64Array(heads),
      before: [],
    }),
    step(x, state) {
      let packed = times(w["qkv.weight"], x);
      if (w["conv.weight"]) packed = shortConvolution(w["conv.weight"], packed, state.before);
      const gates = times(w["gates.weight"], x),
        out = new Float64Array(values);
      if (turned)
        for (let n = 0; n < 2 * heads; n++) rotate(packed, n * keyWidth, keyWidth, state.position, config.rope_base);
      for (let h = 0; h < heads; h++) {
        update(state, h, packed, gates[h] + bias[h], logSigmoid(gates[heads + h] + bias[heads + h]), out);
        rmsNorm(out, w["norm.weight"], config.norm_eps, h * valueWidth, valueWidth);
      }
      state.position += 1;
      for (let j = 0; j < values; j++) out[j] *= sigmoid(gates[2 * heads + j]);
      return times(w["out.weight"], out);
    },
  };
}
