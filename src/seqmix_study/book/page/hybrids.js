// Hybrids: a stack whose layers the reader changes, as far as such a stack was trained; what it makes of one text.
import { button, labelled, make, number, table, textArea } from "./frame.js";
import { encode } from "./text.js";

/** The published stack that has `letter` at layer `n` and otherwise differs least from `now`; null if there is none. */
export function nearest(patterns, now, n, letter) {
  const apart = (one) => [...one].filter((other, i) => other !== now[i]).length;
  const fitting = patterns.filter((one) => one[n] === letter);
  return fitting.reduce((best, one) => (best === null || apart(one) < apart(best) ? one : best), null);
}

/** A stack in words: "5 DeltaNet, 1 Attention"; where `conv` names the letter, the layer has the convolution. */
export function described(pattern, labels, conv = "") {
  const runs = pattern.match(/(.)\1*/g);
  return runs.map((run) => `${run.length} ${labels[run[0]]}${conv.includes(run[0]) ? " with convolution" : ""}`).join(", ");
}

export function playHybrids({ data, state, keep, stage, say, wait, refuse, ask }) {
  const byPattern = new Map(data.models.map((model) => [model.pattern, model])),
    patterns = [...byPattern.keys()];
  const visited = new Map();
  let now = byPattern.has(state.stack) ? state.stack : patterns[0];
  const area = textArea(4, state.text ?? data.text);
  const layers = make("div", {
    className: "live-row",
    role: "group",
    aria: { label: "Layers, from the first: press one for the nearest trained stack with another type there" },
  });
  const results = make("div");
  stage.append(layers, labelled("Text", area), results);

  function next(n) {
    const letters = [...new Set(patterns.map((one) => one[n]))],
      at = letters.indexOf(now[n]);
    return letters.length > 1 ? nearest(patterns, now, n, letters[(at + 1) % letters.length]) : null;
  }
  function drawLayers() {
    const change = (n) => () => {
      now = next(n);
      update();
      layers.children[n].focus();
    };
    layers.replaceChildren(
      ...[...now].map((letter, n) =>
        button(`${n + 1}: ${data.layers[letter]}`, change(n), { disabled: !next(n), className: "live-layer" }),
      ),
    );
  }
  function drawTable() {
    const lowest = Math.min(...visited.values());
    const rows = [...visited].map(([pattern, loss]) => [
      pattern + (pattern === now ? " (now)" : "") + (visited.size > 1 && loss === lowest ? " (lowest)" : ""),
      number(loss),
      number(byPattern.get(pattern).loss),
    ]);
    results.replaceChildren(
      table(
        "Loss, nats a token, of the stacks you tried",
        ["stack", "on your text", "published, on held-out text"],
        rows,
      ),
    );
  }
  async function update() {
    keep({ stack: now, text: area.value === data.text ? "" : area.value });
    drawLayers();
    drawTable();
    wait();
    try {
      const asked = now,
        text = area.value,
        { tokens } = encode(text, data.models[0].words);
      if (tokens.length < 2) return refuse("Write at least two tokens.");
      const losses = await ask(byPattern.get(asked), { kind: "losses", tokens });
      if (!losses || text !== area.value) return; // the reader went on meanwhile
      visited.set(asked, losses.reduce((a, b) => a + b, 0) / losses.length);
      drawTable(); // not the layers: a new button would lose the reader's focus
      const { conv, seq_len: most } = byPattern.get(asked);
      const beyond = tokens.length > most ? ` The text is longer than the ${most} tokens that it was trained to read.` : "";
      say(`${described(asked, data.layers, conv)}: ${number(visited.get(asked))} nats a token.${beyond}`);
    } catch (error) {
      refuse(error.message);
    }
  }
  let timer;
  area.addEventListener("input", () => {
    visited.clear();
    clearTimeout(timer);
    timer = setTimeout(update, 250);
  });
  return update();
}
