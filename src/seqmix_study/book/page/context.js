// Context: the reader's own text, sentence by sentence; what each model pays for each token, with and without a
// sentence.
import { askAll, button, labelled, make, number, table, textArea } from "./frame.js";
import { encode, perPiece, perToken, seen, sentences, shade, wordsOf } from "./text.js";

export function playContext({ data, state, keep, stage, say, wait, refuse, ask }) {
  const { words } = data.models[0];
  const area = textArea(5, state.text ?? data.text);
  const list = make("div", {
    className: "live-sentences",
    role: "group",
    aria: { label: "Sentences: press one to take it out or put it back" },
  });
  const shown = make("div"),
    numbers = make("div");
  const results = make("div", { className: "live-results" }, shown);
  results.append(make("details", {}, make("summary", {}, "Every number"), numbers));
  stage.append(labelled("Text", area), list, results);
  const parts = () => sentences(area.value);
  let out = new Set((state.out ?? "").split(".").filter(Boolean).map(Number).filter((n) => n in parts())),
    timer,
    turn = 0;

  // words that stand in what is taken out: does a model that no longer reads them find them harder when they come back?
  const gone = () => parts().filter((_, n) => out.has(n)).join("").match(/[\p{L}\p{N}_]{3,}/gu) ?? [];
  const left = () => parts().filter((_, n) => !out.has(n));
  function drawList() {
    const toggle = (n) => () => {
      out.has(n) ? out.delete(n) : out.add(n);
      update();
      list.children[n].focus();
    };
    list.replaceChildren(
      ...parts().map((part, n) => button(part.trim() || "↵", toggle(n), { aria: { pressed: !out.has(n) } })),
    );
  }

  async function update() {
    keep({ text: area.value === data.text ? "" : area.value, out: [...out].join(".") });
    drawList();
    const mine = ++turn;
    wait();
    try {
      const whole = encode(area.value, words),
        less = encode(left().join(""), words);
      if (less.tokens.length < 2) return refuse("Leave at least two tokens.");
      const kept = parts().flatMap((part, n) => encode(part, words).pieces.map(() => !out.has(n)));
      const one = async (model) => {
        const view = await ask(model, { kind: "losses", tokens: less.tokens });
        const before = out.size && view ? await ask(model, { kind: "losses", tokens: whole.tokens }) : view;
        if (!before) return null; // the reader went on meanwhile
        return {
          now: perPiece(less.pieces, view),
          before: perPiece(whole.pieces, before).filter((_, n) => !out.size || kept[n]),
        };
      };
      await askAll(data.models, one, (answers, faults, more) => {
        if (mine !== turn) return;
        if (answers.length) draw(less.pieces, answers, faults, more);
        else refuse(faults.join(" "));
      });
    } catch (error) {
      refuse(error.message); // a word that the language does not have
    }
  }

  function draw(pieces, answers, faults, more) {
    const tokens = pieces.flatMap((piece) => piece.tokens).length,
      asked = answers.map(({ model }) => model),
      found = answers.map(({ answer }) => answer);
    const beyond = ({ seq_len: most }) => (tokens > most ? `, beyond the ${most} tokens that it was trained to read` : "");
    const row = (model, n) =>
      make(
        "div",
        {},
        make(
          "p",
          { className: "live-name" },
          `${model.label}: ${number(perToken(pieces, found[n].now))} nats a token${beyond(model)}`,
        ),
        make(
          "p",
          { className: "live-tokens", aria: { hidden: true } },
          pieces.map((piece, i) =>
            make(
              "span",
              { title: `${number(found[n].now[i])} nats`, style: { background: shade(found[n].now[i]) } },
              piece.text,
            ),
          ),
        ),
      );
    shown.replaceChildren(
      make("p", { className: "live-key" }, "The darker, the more it surprised the model: from 0 to 6 nats."),
      ...asked.map(row),
    );
    numbers.replaceChildren(
      table(
        words ? "Loss of each token, nats" : "Loss of each character, all its bytes together, nats",
        [words ? "token" : "character", ...asked.map((model) => model.label)],
        pieces.map((piece, i) => [seen(piece.text), ...found.map(({ now }) => number(now[i]))]),
      ),
    );
    say([...asked.map(({ label }, n) => sentence(label, pieces, found[n])), ...faults].join(" "), more);
  }
  function sentence(label, pieces, { now, before }) {
    if (!out.size) return `${label}: ${number(perToken(pieces, now))} nats a token.`;
    const same = before.map((loss, i) => (now[i] == null ? null : loss)), // the first token has no loss
      lost = gone();
    const rises = wordsOf(pieces).map((word) => ({
      name: word.map((n) => pieces[n].text).join("").trim(),
      rise: word.map((n) => (now[n] == null || before[n] == null ? 0 : now[n] - before[n])).reduce((a, b) => a + b),
    }));
    const most = rises.filter(({ name, rise }) => rise >= 0.01 && lost.includes(name)).sort((a, b) => b.rise - a.rise)[0];
    const harder = most
      ? `of the words you took out “${most.name}” is the hardest when it comes back, by ${number(most.rise)} nats more`
      : "no word that you took out is harder when it comes back";
    return `${label}: ${harder}; what is left went from ${number(perToken(pieces, same))} to ${number(perToken(pieces, now))} nats a token.`;
  }

  area.addEventListener("input", () => {
    out = new Set();
    clearTimeout(timer);
    timer = setTimeout(update, 250);
  });
  return update();
}
