// The linear recurrences: one memory S [K, V] a head, and a cell that sets the switches (seqmix/mixers/recurrence.py).
//   S <- diag(α) S ;  S <- S + β k (v - Sᵀ k)ᵀ  (erase)  or  S + β k vᵀ  (add; β = 1 without a gate for it) ;  o = Sᵀ q
// α: none, one number a head (scalar) or one a channel of the key (vector).
import { rmsNorm, rotate, shortConvolution, sigmoid, silu, softplus, times, unit } from "./numbers.js";

export function recurrence(config, w, letter, cell) {
  const heads = config.n_heads,
    valueWidth = config.d_model / heads,
    values = heads * valueWidth;
  const keyWidth = (w["qkv.weight"].rows - values) / 2 / heads,
    keys = heads * keyWidth;
  const turned = config.rope.includes(letter);
  const betas = cell.erase ? heads : 0,
    decays = { none: 0, scalar: heads, vector: keys }[cell.decay];
  const firstGate = betas + (cell.decay === "scalar" ? heads : 0); // rows of the gates: β, a head's decay, output gate

  /** α of every decay, exp(-exp(A_log) softplus(rate + dt_bias)); a channel's rate is a product of low rank. */
  function decayOf(x, gates) {
    if (!decays) return [];
    const perHead = decays / heads;
    const rates =
      cell.decay === "vector"
        ? times(w["decay_up.weight"], times(w["decay_down.weight"], x))
        : gates.slice(betas, firstGate);
    const speed = (n) => Math.exp(w.A_log.data[Math.floor(n / perHead)]);
    return rates.map((rate, n) => Math.exp(-speed(n) * softplus(rate + w.dt_bias.data[n])));
  }

  function update(memory, h, q, k, v, beta, decay, out) {
    const start = h * keyWidth * valueWidth;
    for (let j = 0; j < valueWidth; j++) {
      let known = 0,
        read = 0;
      for (let i = 0; i < keyWidth; i++) {
        const at = start + i * valueWidth + j;
        if (decays) memory[at] *= decay[cell.decay === "vector" ? h * keyWidth + i : h];
        known += k[h * keyWidth + i] * memory[at];
      }
      const more = beta * (v[h * valueWidth + j] - (cell.erase ? known : 0));
      for (let i = 0; i < keyWidth; i++) {
        const at = start + i * valueWidth + j;
        memory[at] += k[h * keyWidth + i] * more;
        read += q[h * keyWidth + i] * memory[at];
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
      const q = packed.slice(0, keys),
        k = packed.slice(keys, 2 * keys),
        v = packed.slice(2 * keys);
      const gates = w["gates.weight"] ? times(w["gates.weight"], x) : [],
        decay = decayOf(x, gates),
        out = new Float64Array(values);
      for (let h = 0; h < heads; h++) {
        unit(q, h * keyWidth, keyWidth, keyWidth ** -0.5);
        unit(k, h * keyWidth, keyWidth);
        if (turned) for (const part of [q, k]) rotate(part, h * keyWidth, keyWidth, state.position, config.rope_base);
        update(state.memory, h, q, k, v, betas ? config.beta_scale * sigmoid(gates[h]) : 1, decay, out);
        rmsNorm(out, w["norm.weight"], config.norm_eps, h * valueWidth, valueWidth);
      }
      state.position += 1;
      if (cell.gated) for (let j = 0; j < values; j++) out[j] *= silu(gates[firstGate + j]);
      return times(w["out.weight"], out);
    },
  };
}
