// Boxes: keys lie in boxes, boxes swap their contents; who still knows where each key is? The models never hear an
// answer.
import { askAll, bars, button, make, number, table, whole } from "./frame.js";

/** The sentence of a scene in tokens, as in training: each key and its box, ASK, a question, then (swap, question)... */
export function sceneTokens(words, { keys, homes, swaps }) {
  const token = (name) => words.indexOf(name);
  const tokens = keys.flatMap((key, n) => [token(`k${key}`), token(`b${homes[n]}`)]);
  tokens.push(token("ask"));
  for (const [n, [a, b]] of swaps.entries()) tokens.push(token(`k${keys[n % keys.length]}`), token(`s${a}${b}`));
  return tokens;
}

/** Where every key is after the swaps. */
export function whereNow({ homes, swaps }) {
  return homes.map((home) => swaps.reduce((at, [a, b]) => (at === a ? b : at === b ? a : at), home));
}

/** Numbers 0 .. n - 1 drawn from the scene's own seed: the same address shows the same scene. */
export function dice(seed) {
  let state = seed >>> 0;
  for (let n = 0; n < 2; n++) state = Math.imul(state ^ (state >>> 16), 0x45d9f3b) + 1; // neighbours are no kin
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

export function makeScene(words, { keys, swaps, seed, backwards = false }) {
  const roll = dice(seed),
    every = words.filter((word) => /^k\d+$/.test(word)).length;
  const boxes = words.filter((word) => /^b\d+$/.test(word)).length;
  const bag = [...Array(every).keys()],
    scene = { keys: [], homes: [], swaps: [] };
  while (scene.keys.length < Math.min(keys, every)) {
    scene.keys.push(...bag.splice(roll(bag.length), 1));
    scene.homes.push(roll(boxes));
  }
  const later = dice(seed + 1e6); // another die: a new key leaves the swaps as they are
  while (scene.swaps.length < swaps) {
    const a = later(boxes - 1);
    scene.swaps.push([a, a + 1 + later(boxes - 1 - a)]);
  }
  if (backwards) scene.swaps.reverse();
  return scene;
}

export function playBoxes({ data, state, keep, stage, say, wait, refuse, ask }) {
  const { words } = data.models[0],
    most = { keys: 64, swaps: 48, seed: 999 };
  let latest = 0;
  const size = () => ({
    keys: whole(state.keys, 8, 1, most.keys),
    swaps: whole(state.swaps, 0, 0, most.swaps),
    seed: whole(state.seed, 1, 0, most.seed),
    backwards: state.backwards === "yes",
  });
  const change = (name, by) => () => {
    const value = size()[name] + by;
    keep({ [name]: Math.min(Math.max(value, name === "keys" ? 1 : 0), most[name]) });
    update();
  };
  const moves = [
    ["One key more", "keys", 1],
    ["One key less", "keys", -1],
    ["Twice the keys", "keys", 0],
    ["One swap more", "swaps", 1],
    ["Eight swaps more", "swaps", 8],
    ["One swap less", "swaps", -1],
    ["Another scene", "seed", 1],
  ];
  const twice = () => {
    keep({ keys: Math.min(most.keys, 2 * size().keys) });
    update();
  };
  const turn = () => {
    keep({ backwards: size().backwards ? "" : "yes" });
    update();
  };
  const scene = make("p", { className: "live-scene" }),
    known = make("div"),
    every = make("div");
  stage.append(
    make(
      "div",
      { className: "live-row" },
      moves.map(([text, name, by]) => button(text, by ? change(name, by) : twice)),
      button("Swaps in the other order", turn),
    ),
    scene,
    make("div", { className: "live-results" }, known, make("details", {}, make("summary", {}, "Every key"), every)),
  );

  async function update() {
    const now = size(),
      one = makeScene(words, now),
      truth = whereNow(one);
    const questions = one.keys.map((key) => words.indexOf(`k${key}`));
    const choices = words.flatMap((word, token) => (/^b\d+$/.test(word) ? [token] : []));
    scene.textContent =
      `${one.keys.map((key, n) => `key ${key} into box ${one.homes[n] + 1}`).join(", ")}` +
      (one.swaps.length
        ? `; then swap boxes ${one.swaps.map(([a, b]) => `${a + 1}↔${b + 1}`).join(", ")}.`
        : "; no swap yet.");
    const work = { kind: "answers", tokens: sceneTokens(words, one), questions, choices };
    const mine = ++latest;
    wait();
    await askAll(
      data.models,
      (model) => ask(model, work),
      (answers, faults, more) => {
        if (mine !== latest) return; // the reader went on meanwhile
        if (answers.length) draw(now, one, truth, choices, answers, faults, more);
        else refuse(faults.join(" "));
      },
    );
  }
  function draw(now, one, truth, choices, answers, faults, more) {
    const asked = answers.map(({ model }) => model),
      found = answers.map(({ answer }) => answer);
    const right = (chances, n) => chances.indexOf(Math.max(...chances)) === truth[n];
    every.replaceChildren(
      table(
        "Share that each model gives to the right box",
        ["key, and its box now", ...asked.map(({ label }) => label)],
        one.keys.map((key, n) => [
          `key ${key}, box ${truth[n] + 1}`,
          ...found.map((rows) => `${right(rows[n], n) ? "✓" : "✗"} ${number(rows[n][truth[n]])}`),
        ]),
      ),
    );
    const score = found.map((rows) => rows.filter(right).length),
      n = one.keys.length;
    known.replaceChildren(
      bars(asked.map(({ label }, m) => ({ text: `${label}: ${score[m]} of ${n}`, share: score[m] / n }))),
    );
    say(
      `${n} keys, ${now.swaps} swaps: ${asked.map(({ label }, m) => `${label} knows ${score[m]}`).join(", ")}. Guessing would know one in ${choices.length}. ${faults.join(" ")}`,
      more,
    );
  }
  return update();
}
