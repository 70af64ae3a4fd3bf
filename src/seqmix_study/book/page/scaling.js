// Scaling: the reader draws losses over sizes, and the fit doctor says whether a law may be quoted from them.
import { button, count, drawing, labelled, make, number } from "./frame.js";
import { fitLadder } from "./ladder.js";

const SEEDS = 3,
  WIDTH = 640,
  HEIGHT = 300,
  LEFT = 46,
  RIGHT = 12,
  TOP = 10,
  BOTTOM = 34;
const SIZES = [6_000, 15_000, 37_000, 92_000, 230_000, 570_000, 1_400_000, 3_500_000];
const SHAPES = {
  "a straight line in ln N": (n) => 3.4 - 0.16 * Math.log(n / 6000), // first: the question is about it
  "a power law with a floor": (n) => 1.2 + 60 * n ** -0.42,
  "a law with one size badly tuned": (n) => 1.2 + 60 * n ** -0.42 + (n === 230_000 ? 0.12 : 0),
  "a fall that ends": (n) => 2 + 0.9 * Math.max(0, 1 - Math.log10(n / 6000) / 1.6) ** 2,
};
const WORDS = {
  ok: "The doctor says: consistent with a power law with a floor",
  interval: "The doctor says: an interval of the exponent may be quoted, and no number in it",
  slope_only: "The doctor says: the loss falls, but these points determine no exponent",
  refused: "The doctor refuses: no law may be quoted from these points",
};

/** Points of an address, "6000~2.1_15000~1.9"; null unless two to twenty ascending sizes with losses above zero. */
export function pointsOf(text) {
  const points = (text ?? "").split("_").map((one) => one.split("~").map(Number));
  const fine = ([n, loss], i) => n > (points[i - 1]?.[0] ?? 0) && loss > 0 && Number.isFinite(n + loss);
  return points.length > 1 && points.length <= 20 && points.every(fine) ? points : null;
}

export function playScaling({ data, state, keep, stage, say }) {
  const ladders = Object.fromEntries(Object.entries(SHAPES).map(([name, f]) => [name, SIZES.map((n) => [n, +f(n).toFixed(4)])])); // as an address holds them
  for (const { label, points } of data.ladders ?? []) ladders[label] = points;
  const first = Object.hasOwn(ladders, state.from ?? "") ? state.from : Object.keys(ladders)[0];
  let points = pointsOf(state.points) ?? ladders[first].map((one) => [...one]);
  const start = make(
    "select",
    {},
    Object.keys(ladders).map((name) => make("option", { value: name, selected: name === first }, name)),
  );
  const spread = make("input", { type: "range", min: 0, max: 0.1, step: 0.002, value: state.spread ?? 0.01 });
  const picture = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }),
    list = make("div", { className: "live-row" });
  const add = button("Add a larger size", () => {
    points.push([Math.round(points.at(-1)[0] * 2.5), points.at(-1)[1] * 0.98]);
    drawList();
    update();
  });
  const drop = button("Drop the largest size", () => {
    if (points.length > 2) points.pop();
    drawList();
    update();
  });
  stage.append(
    labelled("Start from", start),
    picture,
    make("p", {}, "Click into the picture to move the nearest size's point, or write its loss:"),
    list,
    make("div", { className: "live-row" }, add, drop),
    labelled("Spread between three seeds, nats", spread),
  );

  const range = () => {
    const all = points.map(([, loss]) => loss),
      room = 0.15 * (Math.max(...all) - Math.min(...all) || 0.2);
    return [Math.min(...all) - room, Math.max(...all) + room];
  };
  let frame = range();
  const x = (n) =>
    LEFT + 12 + (Math.log(n / points[0][0]) / Math.log(points.at(-1)[0] / points[0][0])) * (WIDTH - LEFT - RIGHT - 24);
  const y = (loss) => TOP + ((frame[1] - loss) / (frame[1] - frame[0])) * (HEIGHT - TOP - BOTTOM);

  function drawList() {
    list.replaceChildren(
      ...points.map((point) => {
        const field = make("input", { type: "number", step: 0.01, min: 0.01, value: point[1].toFixed(3) });
        field.addEventListener("change", () => {
          if (+field.value > 0) {
            point[1] = +field.value;
            update();
          }
        });
        return labelled(`${count(point[0])}`, field);
      }),
    );
  }
  function draw(fit) {
    frame = range();
    const text = (content, at) => {
      const node = drawing("text", at);
      node.textContent = content;
      return node;
    };
    const nodes = [drawing("path", { class: "live-axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` })];
    for (const loss of [frame[0], (frame[0] + frame[1]) / 2, frame[1]])
      nodes.push(text(number(loss), { x: LEFT - 6, y: y(loss) + 4, "text-anchor": "end" }));
    for (const [n] of points) nodes.push(text(count(n), { x: x(n), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }));
    nodes.push(text("parameters", { x: WIDTH / 2, y: HEIGHT - 3, "text-anchor": "middle" }));
    if (fit.values?.A > 0 && fit.status !== "refused") {
      const { E, A, alpha } = fit.values,
        line = Array.from({ length: 60 }, (_, i) => points[0][0] * (points.at(-1)[0] / points[0][0]) ** (i / 59));
      nodes.push(
        drawing("polyline", {
          class: "live-law",
          points: line.map((n) => `${x(n)},${y(E + A * n ** -alpha)}`).join(" "),
        }),
      );
    }
    for (const [n, loss] of points) nodes.push(drawing("circle", { class: "live-point", cx: x(n), cy: y(loss), r: 6 }));
    picture.replaceChildren(...nodes);
    picture.setAttribute(
      "aria-label",
      `Losses of ${points.length} sizes: ${points.map(([n, loss]) => `${count(n)}: ${number(loss)}`).join(", ")}`,
    );
  }
  function update() {
    keep({ points: points.map(([n, loss]) => `${n}~${+loss.toFixed(4)}`).join("_"), spread: spread.value, from: start.value });
    const fit = fitLadder(
      points.map(([n]) => n),
      points.map(([, loss]) => loss),
      SEEDS,
      +spread.value,
    );
    draw(fit);
    const exponent =
      fit.status === "ok"
        ? `, alpha ${number(fit.values.alpha)} (${number(fit.alpha[0])} to ${number(fit.alpha[1])}), floor ${number(fit.values.E)} nats`
        : "";
    say(
      `${points.length} sizes. ${WORDS[fit.status]}${exponent}.${fit.reasons.length ? ` Why: ${fit.reasons.join("; ")}.` : ""}`,
    );
  }
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect(),
      at = ((event.clientX - box.left) / box.width) * WIDTH;
    const near = points.reduce((best, point) =>
      Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best,
    );
    near[1] = Math.max(
      0.01,
      frame[1] -
        ((((event.clientY - box.top) / box.height) * HEIGHT - TOP) / (HEIGHT - TOP - BOTTOM)) * (frame[1] - frame[0]),
    );
    drawList();
    update();
  });
  start.addEventListener("change", () => {
    points = ladders[start.value].map((one) => [...one]);
    drawList();
    update();
  });
  let timer;
  spread.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(update, 60);
  });
  drawList();
  update();
}
