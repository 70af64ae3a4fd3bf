// What every demonstration shares: the guess, the stage, the published finding, the text for screen readers, the
// address. The page holds <section class="live" id data-kind> with a JSON script and the static figure and finding as
// its content: without JavaScript they are all there is to see; here they wait behind the guess.

/** An element: `make("button", { type: "button", onclick }, "text", child)`; `aria` and `data` are objects. */
export function make(name, properties = {}, ...children) {
  const node = document.createElement(name),
    { aria = {}, style = {}, ...rest } = properties;
  Object.assign(node, rest);
  Object.assign(node.style, style);
  for (const [key, value] of Object.entries(aria)) node.setAttribute(`aria-${key}`, value);
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

export function drawing(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export const button = (text, onclick, more = {}) => make("button", { type: "button", onclick, ...more }, text);
export const labelled = (text, control) => make("label", {}, make("span", {}, text), control);
const LONGEST = 1500; // characters; beyond it the answer takes seconds on a phone
export const textArea = (rows, text) =>
  make("textarea", { rows, maxLength: LONGEST, spellcheck: false, value: text.slice(0, LONGEST) });
export const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : "–");

/** 1234567 -> "1.2 M". */
export function count(value) {
  for (const [unit, size] of [
    ["M", 1e6],
    ["k", 1e3],
  ])
    if (value >= size) return `${+(value / size).toPrecision(2)} ${unit}`;
  return String(+value.toPrecision(3));
}

export function table(caption, head, rows) {
  const cell = (name, scope) => (text) => make(name, scope ? { scope } : {}, text);
  const line = ([first, ...others]) => make("tr", {}, cell("th", "row")(first), others.map(cell("td")));
  return make(
    "table",
    { tabIndex: 0 }, // a phone scrolls it sideways: arrows must, too
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, head.map(cell("th", "col")))),
    make("tbody", {}, rows.map(line)),
  );
}

/** A list of bars: rows {text, share (0 to 1), colour}. */
export const bars = (rows) =>
  make(
    "ul",
    { className: "live-bars" },
    rows.map(({ text, share, colour = "" }) =>
      make(
        "li",
        {},
        make("span", {}, text),
        make("span", { className: "live-bar", style: { width: `${100 * share}%`, background: colour } }),
      ),
    ),
  );

/** The state of a demonstration in the page's address: #id~key=value&key=value; values may hold a ~ of their own. */
export function stateOf(hash, id) {
  return hash.startsWith(`#${id}~`) ? Object.fromEntries(new URLSearchParams(hash.slice(id.length + 2))) : null;
}

/** A whole number from an address, kept within its bounds; `other` where it is none. */
export const whole = (text, other, least, most) =>
  /^\d+$/.test(text ?? "") ? Math.min(Math.max(+text, least), most) : other;

let written; // the address that this page wrote itself

function writeAddress(id, state) {
  const kept = Object.entries(state).filter(([, value]) => value !== "" && value != null);
  const address = `#${id}~${new URLSearchParams(kept)}`;
  written = address;
  try {
    history.replaceState(null, "", address);
  } catch {
    location.replace(address);
  }
}

/**
 * Ask every model at once; `tell(answers, faults, more)` hears of each as soon as all before it have ended: answers are
 * [{model, answer}], faults the words of those that cannot answer, `more` says that others are still at it.
 */
export async function askAll(models, one, tell) {
  const ended = [];
  const each = models.map(async (model, m) => {
    ended[m] = await one(model).then(
      (answer) => ({ model, answer }),
      (error) => ({ fault: error.message }),
    );
    const known = ended.filter(Boolean);
    if (known.length < ended.length) return; // one before it is still at it
    const faults = known.flatMap(({ fault }) => fault ?? []);
    tell(known.filter(({ answer }) => answer), faults, ended.length < models.length);
  });
  await Promise.all(each);
}

/**
 * Open one demonstration. `play({ data, state, say, wait, refuse, keep, stage })` fills `stage`; `state` is plain text by
 * key, `keep(more)` changes it and the address, `say(text, more)` is what a screen reader hears, once no more is to
 * come. What was asked has changed: `wait()` dims the old results until something is said, `refuse(text)` says why there
 * are none and hides them (elements of class live-results).
 */
export function openFrame(box, play) {
  const data = JSON.parse(box.querySelector("script").textContent),
    finding = box.querySelector(".live-finding");
  const shared = stateOf(location.hash, box.id),
    state = shared ?? {};
  const stage = make("div", { className: "live-stage", hidden: true });
  const said = make("p", { className: "live-said", aria: { live: "polite" } });
  const guessed = make("p", { className: "live-guessed" });
  const reveal = button("Show what the study found", () => {
    keep({ found: 1 });
    showFinding();
    finding.focus(); // the button is gone
  });
  const after = make("div", { className: "live-after", hidden: true }, guessed, reveal);
  const keep = (more) => writeAddress(box.id, Object.assign(state, more));
  function showFinding() {
    reveal.hidden = true;
    finding.hidden = false;
  }
  function say(text, more = false) {
    box.classList.remove("live-waiting", "live-refused");
    said.setAttribute("aria-busy", more); // a screen reader waits for the rest, the eye need not
    said.textContent = text;
  }
  function wait() {
    box.classList.add("live-waiting");
    said.setAttribute("aria-busy", true);
  }
  function refuse(text) {
    say(text);
    box.classList.add("live-refused");
  }
  function begin() {
    form.hidden = true;
    stage.hidden = after.hidden = false;
    guessed.textContent = `${data.question} Your guess: ${data.guesses[whole(state.guess, -1, 0, 99)] ?? "none"}.`;
    play({
      data,
      state,
      keep,
      stage,
      say,
      wait,
      refuse,
    });
    if (+state.found) showFinding();
  }
  const choice = (text, n) =>
    make("label", {}, make("input", { type: "radio", name: `${box.id}-guess`, value: n, required: true }), text);
  const form = make(
    "form",
    { className: "live-guess" },
    make("fieldset", {}, make("legend", {}, data.question), data.guesses.map(choice)),
    make("button", { type: "submit" }, "Ask the models"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keep({ guess: new FormData(form).get(`${box.id}-guess`) });
    begin();
    stage.querySelector("button, textarea, input, select")?.focus();
  });
  finding.hidden = true;
  finding.tabIndex = -1;
  box.prepend(form, stage, said, after);
  box.classList.add("live-open");
  if (shared) box.scrollIntoView();
  if (data.guesses[whole(state.guess, -1, 0, 99)]) begin();
  addEventListener("hashchange", () => {
    if (location.hash !== written && stateOf(location.hash, box.id)) location.reload(); // a link into the open page
  });
}
