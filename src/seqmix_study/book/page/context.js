// Context: the reader's own text, sentence by sentence; what each model pays for each token, with and without a
// sentence.
import { button, labelled, make, number, table, textArea } from "./frame.js";
import { encode, perPiece, seen, sentences, shade, wordsOf } from "./text.js";

export function playContext({ data, state, keep, stage, say, ask }) {
  const { words } = data.models[0];
  const area = textArea(5, state.text ?? data.text);
  const list = make("div", {
    className: "live-sentences",
    role: "group",
    aria: { label: "Sentences: press one to take it out or put it back" },
  });
  const shown = make("div"),
    numbers = make("div");
  stage.append(labelled("Text", area), list, shown, make("details", {}, make("summary", {}, "Every number"), numbers));
  const parts = () => sentences(area.value);
  let out = new Set((state.out ?? "").split(".").filter(Boolean).map(Number).filter((n) => n in parts())),
    timer,
    turn = 0;

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
    try {
      const whole = encode(area.value, words),
        less = encode(left().join(""), words);
      if (less.tokens.length < 2) return say("Leave at least two tokens.");
      const kept = parts().flatMap((part, n) => encode(part, words).pieces.map(() => !out.has(n)));
      const found = [];
      const asked = data.models.map(async (model, m) => {
        const view = await ask(model, { kind: "losses", tokens: less.tokens });
        if (mine !== turn) return; // the reader went on meanwhile
        const before = out.size && view ? await ask(model, { kind: "losses", tokens: whole.tokens }) : view;
        if (mine !== turn || !before) return;
        found[m] = {
          now: perPiece(less.pieces, view),
          before: perPiece(whole.pieces, before).filter((_, n) => !out.size || kept[n]),
        };
        if (found.filter(Boolean).length === found.length) draw(less.pieces, found);
      });
      await Promise.all(asked);
    } catch (error) {
      say(error.message);
    }
  }

  const mean = (losses) =>
    losses.reduce((sum, loss) => sum + (loss ?? 0), 0) / losses.filter((loss) => loss != null).length;
  function draw(pieces, found) {
    const tokens = pieces.flatMap((piece) => piece.tokens).length,
      asked = data.models.slice(0, found.length); // the others are still at it
    const beyond = ({ seq_len: most }) => (tokens > most ? `, beyond the ${most} tokens that it was trained to read` : "");
    const row = (model, n) =>
      make(
        "div",
        {},
        make(
          "p",
          { className: "live-name" },
          `${model.label}: ${number(mean(found[n].now))} nats a token${beyond(model)}`,
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
        "Loss of each token, nats",
        ["token", ...asked.map((model) => model.label)],
        pieces.map((piece, i) => [seen(piece.text), ...found.map(({ now }) => number(now[i]))]),
      ),
    );
    say(asked.map(({ label }, n) => sentence(label, pieces, found[n])).join(" "), asked.length < data.models.length);
  }
  function sentence(label, pieces, { now, before }) {
    if (!out.size) return `${label}: ${number(mean(now))} nats a token.`;
    const same = before.map((loss, i) => (now[i] == null ? null : loss)); // the first token has no loss
    const rises = wordsOf(pieces).map((word) => {
      const rise = word
        .map((n) => (now[n] == null || before[n] == null ? 0 : now[n] - before[n]))
        .reduce((a, b) => a + b);
      return {
        rise,
        name:
          word
            .map((n) => pieces[n].text)
            .join("")
            .trim() || "a space",
      };
    });
    const most = rises.reduce((best, one) => (one.rise > best.rise ? one : best));
    return (
      `${label}: without what you took out the loss of “${most.name}” rises most, by ${number(most.rise)} nats, ` +
      `that of the rest from ${number(mean(same))} to ${number(mean(now))} on average.`
    );
  }

  area.addEventListener("input", () => {
    out = new Set();
    clearTimeout(timer);
    timer = setTimeout(update, 250);
  });
  return update();
}
