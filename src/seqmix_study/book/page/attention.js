// Mixers A and S: causal softmax attention; S sees the last `window` tokens only, itself included.
import { rotate, shortConvolution, times } from "./numbers.js";

export function attention(config, w, letter, mixer) {
  const heads = config.n_heads,
    width = config.d_model / heads,
    d = config.d_model;
  const turned = config.rope.includes("A") || config.rope.includes(letter),
    window = mixer.class === "SlidingWindow" ? config.window : Infinity;
  return {
    start: () => ({ position: 0, keys: [], values: [], before: [] }),
    step(x, state) {
      let packed = times(w["qkv.weight"], x);
      if (w["conv.weight"]) packed = shortConvolution(w["conv.weight"], packed, state.before);
      if (turned)
        for (let h = 0; h < 2 * heads; h++) rotate(packed, h * width, width, state.position, config.rope_base);
      state.position += 1;
      state.keys.push(packed.slice(d, 2 * d));
      state.values.push(packed.slice(2 * d));
      if (state.keys.length > window) {
        state.keys.shift();
        state.values.shift();
      }
      const out = new Float64Array(d),
        shares = new Float64Array(state.keys.length);
      for (let h = 0; h < heads; h++) {
        const from = h * width;
        let top = -Infinity,
          sum = 0;
        state.keys.forEach((key, s) => {
          let score = 0;
          for (let j = from; j < from + width; j++) score += packed[j] * key[j];
          shares[s] = score / Math.sqrt(width);
          top = Math.max(top, shares[s]);
        });
        for (let s = 0; s < shares.length; s++) sum += shares[s] = Math.exp(shares[s] - top);
        state.values.forEach((value, s) => {
          for (let j = from; j < from + width; j++) out[j] += (shares[s] / sum) * value[j];
        });
      }
      return times(w["out.weight"], out);
    },
  };
}
