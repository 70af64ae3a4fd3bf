// Hybrids: a stack whose layers the reader changes, as far as such a stack was trained; what it makes of one text.
import { button, labelled, make, number, table } from "./frame.js";
import { encode } from "./text.js";

/** The published stack that has `letter` at layer `n` and otherwise differs least from `now`; null if there is none. */
export function nearest(patterns, now, n, letter) {
  const apart = (one) => [...one].filter((other, i) => other !== now[i]).length;
  const fitting = patterns.filter((one) => one[n] === letter);
  return fitting.reduce((best, one) => (best === null || apart(one) < apart(best) ? one : best), null);
}

export function playHybrids({ data, state, keep, stage, say, ask }) {
  const byPattern = new Map(data.models.map((model) => [model.pattern, model])),
    patterns = [...byPattern.keys()];
  const visited = new Map();
  let now = byPattern.has(state.stack) ? state.stack : patterns[0];
  const area = make("textarea", { rows: 4, maxLength: 1500, spellcheck: false, value: state.text ?? data.text });
  const layers = make("div", {
    className: "live-row",
    role: "group",
    aria: { label: "Layers, from the first: press one to change its type" },
  });
  const results = make("div");
  stage.append(layers, labelled("Text", area), results);

  function next(n) {
    const letters = [...new Set(patterns.map((one) => one[n]))],
      at = letters.indexOf(now[n]);
    return letters.length > 1 ? nearest(patterns, now, n, letters[(at + 1) % letters.length]) : null;
  }
  function draw() {
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
    const rows = [...visited].map(([pattern, loss]) => [
      pattern + (pattern === now ? " (now)" : ""),
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
    draw();
    try {
      const asked = now,
        { tokens } = encode(area.value, data.models[0].words);
      if (tokens.length < 2) return say("Write at least two tokens.");
      const losses = await ask(byPattern.get(asked), { kind: "losses", tokens });
      if (!losses) return;
      visited.set(asked, losses.reduce((a, b) => a + b, 0) / losses.length);
      draw();
      say(`${[...asked].map((letter) => data.layers[letter]).join(", ")}: ${number(visited.get(asked))} nats a token.`);
    } catch (error) {
      say(error.message);
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
