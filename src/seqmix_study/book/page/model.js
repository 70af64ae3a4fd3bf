// A language model from an export: the block skeleton (norm, mixer, norm, SwiGLU) or the classic stack of LSTM
// layers.
import { attention } from "./attention.js";
import { lstm, lstmLayer } from "./lstm.js";
import { mlstm } from "./mlstm.js";
import { recurrence } from "./recurrence.js";
import { logSoftmax, rmsNorm, silu, times, unpack } from "./numbers.js";

const MODULES = { attention, lstm, mlstm, recurrence }; // as seqmix/models has them

/** The tensors whose name starts with `prefix`, without it. */
function within(weights, prefix) {
  const found = {};
  for (const [name, value] of Object.entries(weights))
    if (name.startsWith(prefix)) found[name.slice(prefix.length)] = value;
  return found;
}

function block(config, w, letter, mixerOf) {
  const mixer = MODULES[mixerOf.module](config, within(w, "mixer."), letter, mixerOf),
    eps = config.norm_eps,
    pre = config.norm === "pre";
  const add = (x, y) => x.map((value, j) => value + y[j]);
  const feedForward = (x) => {
    const packed = times(w["mlp.up.weight"], x),
      width = packed.length / 2,
      inner = new Float64Array(width);
    for (let j = 0; j < width; j++) inner[j] = silu(packed[j]) * packed[width + j];
    return times(w["mlp.down.weight"], inner);
  };
  const steps = [
    ["mixer_norm.weight", (x, state) => mixer.step(x, state)],
    ["mlp_norm.weight", feedForward],
  ];
  return {
    start: mixer.start,
    step(x, state) {
      for (const [norm, part] of steps) {
        if (pre) x = add(x, part(rmsNorm(x.slice(), w[norm], eps), state));
        else x = rmsNorm(add(x, part(x, state)), w[norm], eps);
      }
      return x;
    },
  };
}

/**
 * `start()` gives the state before the first token, `step(token, state)` moves it on and returns the logits of the next
 * token; `copy(state)` lets one text be continued twice. Throws an Error for a layer type that this page does not know.
 */
export function buildModel(exported) {
  const { config, mixers } = exported,
    w = unpack(exported);
  const layers = [...config.pattern].map((letter, n) => {
    const inside = within(w, `layers.${n}.`);
    if (config.skeleton === "classic") return lstmLayer(inside);
    if (!MODULES[mixers[letter].module]) throw new Error(`no layer type ${letter}`);
    return block(config, inside, letter, mixers[letter]);
  });
  const embedding = w["embedding.weight"],
    head = w["head.weight"] ?? embedding,
    width = config.d_model;
  const row = (matrix, n) => Float64Array.from(matrix.data.subarray(n * width, (n + 1) * width));
  return {
    exported,
    start: () => ({ position: 0, layers: layers.map((layer) => layer.start()) }),
    copy: (state) => structuredClone(state),
    step(token, state) {
      let x = row(embedding, token);
      if (config.learned_positions) {
        if (state.position >= config.max_length)
          throw new Error(`this model reads ${config.max_length} tokens at the most`);
        const place = row(w["positions.weight"], state.position);
        x = x.map((value, j) => value + place[j]);
      }
      state.position += 1;
      layers.forEach((layer, n) => {
        x = layer.step(x, state.layers[n]);
      });
      return times(head, rmsNorm(x, w["norm.weight"], config.norm_eps));
    },
  };
}

/** Loss in nats of every token but the first, one at a time: yields after each token, so that a caller may pause. */
export function* losses(model, tokens) {
  const state = model.start(),
    found = [];
  for (let t = 0; t + 1 < tokens.length; t++) {
    found.push(-logSoftmax(model.step(tokens[t], state))[tokens[t + 1]]);
    yield found;
  }
  return found;
}

/** Probabilities of `choices` as the next token after `tokens` and each of `questions` alone: [question][choice]. */
export function* answers(model, tokens, questions, choices) {
  const state = model.start(),
    found = [];
  for (const token of tokens) yield void model.step(token, state);
  for (const question of questions) {
    const chance = logSoftmax(model.step(question, model.copy(state)));
    found.push(choices.map((choice) => Math.exp(chance[choice])));
    yield found;
  }
  return found;
}
