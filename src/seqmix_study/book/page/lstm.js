// Mixer L, and the layers of the classic stacked LSTM: gates in the order i, f, g, o.
import { shortConvolution, sigmoid, times } from "./numbers.js";

/** One LSTM layer without convolution or output product; `w` holds its three tensors. */
export function lstmLayer(w) {
  const width = w.recurrent_weight.columns;
  return {
    start: () => ({ hidden: new Float64Array(width), cell: new Float64Array(width) }),
    step(x, state) {
      const gates = times(w.input_weight, x, w.bias),
        more = times(w.recurrent_weight, state.hidden);
      for (let j = 0; j < width; j++) {
        const [i, f, g, o] = [0, 1, 2, 3].map((n) => gates[n * width + j] + more[n * width + j]);
        state.cell[j] = sigmoid(f) * state.cell[j] + sigmoid(i) * Math.tanh(g);
        state.hidden[j] = sigmoid(o) * Math.tanh(state.cell[j]);
      }
      return state.hidden.slice();
    },
  };
}

export function lstm(config, w) {
  const inner = {};
  for (const [name, value] of Object.entries(w)) if (name.startsWith("lstm.")) inner[name.slice(5)] = value;
  const layer = lstmLayer(inner);
  return {
    start: () => ({ ...layer.start(), before: [] }),
    step(x, state) {
      if (w["conv.weight"]) x = shortConvolution(w["conv.weight"], x, state.before);
      return times(w["out.weight"], layer.step(x, state));
    },
  };
}
