// The delta rule family: one memory S [K, V] a head, with switches. Erase: D, G, K; add: N, R, V.
// Decay: none (D, N), one number a head (G, R), one a channel of the key (K, V).
//   S <- diag(α) S ;  S <- S + β k (v - Sᵀ k)ᵀ  (erase)  or  S + k vᵀ  (add) ;  o = Sᵀ q
import { rmsNorm, rotate, shortConvolution, sigmoid, silu, softplus, times, unit } from "./numbers.js";

export function delta(config, w, letter) {
  const heads = config.n_heads, valueWidth = config.d_model / heads;
  const values = heads * valueWidth, keyWidth = (w["qkv.weight"].rows - values) / 2 / heads, keys = heads * keyWidth;
  const turned = config.rope.includes(letter), gated = "A_log" in w;

  function update(memory, h, q, k, v, beta, decay, out) {
    const start = h * keyWidth * valueWidth;
    for (let j = 0; j < valueWidth; j++) {
      let known = 0;
      for (let i = 0; i < keyWidth; i++) {
        memory[start + i * valueWidth + j] *= decay;
        known += k[h * keyWidth + i] * memory[start + i * valueWidth + j];
      }
      const more = beta * (v[h * valueWidth + j] - known);
      let read = 0;
      for (let i = 0; i < keyWidth; i++) {
        memory[start + i * valueWidth + j] += k[h * keyWidth + i] * more;
        read += q[h * keyWidth + i] * memory[start + i * valueWidth + j];
      }
      out[h * valueWidth + j] = read;
    }
  }

  return {
    start: () => ({ position: 0, memory: new Float64Array(heads * keyWidth * valueWidth), before: [] }),
    step(x, state) {
      let packed = times(w["qkv.weight"], x);
      if (w["conv.weight"]) packed = shortConvolution(w["conv.weight"], packed, state.before);
      packed = packed.map(silu);
      const q = packed.slice(0, keys), k = packed.slice(keys, 2 * keys), v = packed.slice(2 * keys);
      const gates = times(w["gates.weight"], x), out = new Float64Array(values);
      for (let h = 0; h < heads; h++) {
        unit(q, h * keyWidth, keyWidth, keyWidth ** -0.5);
        unit(k, h * keyWidth, keyWidth);
        if (turned) for (const part of [q, k]) rotate(part, h * keyWidth, keyWidth, state.position, config.rope_base);
        const beta = config.beta_scale * sigmoid(gates[h]);
        const rate = gated ? -Math.exp(w.A_log.data[h]) * softplus(gates[heads + h] + w.dt_bias.data[h]) : 0;
        update(state.memory, h, q, k, v, beta, Math.exp(rate), out);
        rmsNorm(out, w["norm.weight"], config.norm_eps, h * valueWidth, valueWidth);
      }
      state.position += 1;
      if (gated) for (let j = 0; j < values; j++) out[j] *= silu(gates[2 * heads + j]);
      return times(w["out.weight"], out);
    },
  };
}
