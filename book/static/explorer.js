// Explorers: a figure's own numbers, drawn again so that a reader can choose. Plain JavaScript, nothing from outside.
// The page holds <div class="explorer" data-x=.. data-y=.. data-log=..> with a JSON script (rows: group, arm, x, mean, lo, hi)
// and the static figure as its fallback; this script replaces the figure.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const LEFT = 62, RIGHT = 16, TOP = 14, BOTTOM = 48;
  const NEAR = 1.12; // matched sizes differ by a few percent: what lies this close is one point of the slider

  const make = (name, attributes = {}, text = "") => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    return node;
  };
  const html = (name, attributes = {}, ...children) => {
    const node = Object.assign(document.createElement(name), attributes);
    node.append(...children);
    return node;
  };
  const human = (value) => {
    const size = Math.abs(value);
    for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])
      if (size >= limit) return +(value / (unit === "k" ? 1e3 : limit)).toPrecision(3) + unit;
    if (size > 0 && size < 1e-3) return +(value * 1e6).toPrecision(3) + "µ";
    return String(+value.toPrecision(3));
  };

  function ticks(low, high, log) {
    if (log) {
      const all = [];
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) for (const m of [1, 2, 5]) all.push(m * 10 ** e);
      const inside = all.filter((t) => t >= low * 0.999 && t <= high * 1.001);
      return inside.length > 7 ? inside.filter((t) => /^1/.test(t.toExponential())) : inside;
    }
    const step = 10 ** Math.floor(Math.log10((high - low) / 4 || 1));
    const best = [1, 2, 5, 10].map((m) => m * step).find((s) => (high - low) / s <= 6);
    const found = [];
    for (let t = Math.ceil(low / best) * best; t <= high + 1e-9; t += best) found.push(+t.toPrecision(12));
    return found;
  }

  function scale(low, high, from, to, log) {
    const f = log ? Math.log : (v) => v;
    const [a, b] = [f(low), f(high)];
    return (v) => (b === a ? (from + to) / 2 : from + ((f(v) - a) / (b - a)) * (to - from));
  }

  function start(box) {
    const data = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    const groups = [...new Set(data.rows.map((r) => r.group))];
    const arms = Object.keys(data.looks);
    const state = { group: groups[0], hidden: new Set(), at: 0 };

    const choice = html("select", { ariaLabel: data.groupName });
    groups.forEach((g) => choice.append(html("option", { value: g, textContent: g })));
    const boxes = html("fieldset", {}, html("legend", { textContent: "Architectures" }));
    arms.forEach((arm) => {
      const input = html("input", { type: "checkbox", checked: true });
      input.addEventListener("change", () => { input.checked ? state.hidden.delete(arm) : state.hidden.add(arm); draw(); });
      const swatch = html("span", { textContent: "■", ariaHidden: "true" });
      swatch.style.color = data.looks[arm].colour;
      swatch.className = "swatch";
      boxes.append(html("label", {}, input, swatch, data.looks[arm].label));
    });
    const slider = html("input", { type: "range", min: 0, step: 1, ariaLabel: data.xName });
    const readout = html("output");
    const narrow = box.clientWidth < 520; // a phone: fewer units a line, so that the letters stay legible
    const WIDTH = narrow ? 400 : 720, HEIGHT = narrow ? 330 : 400;
    const picture = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": data.alt });
    const controls = html("div", { className: "controls" });
    if (groups.length > 1) controls.append(html("label", {}, data.groupName + " ", choice));
    controls.append(boxes);
    box.replaceChildren(controls, picture, html("div", { className: "controls" }, html("label", {}, data.xName + " ", slider)), readout);
    choice.addEventListener("change", () => { state.group = choice.value; state.at = 0; draw(); });
    slider.addEventListener("input", () => { state.at = +slider.value; draw(); });

    function draw() {
      const rows = data.rows.filter((r) => r.group === state.group && !state.hidden.has(r.arm));
      const all = [...new Set(rows.map((r) => r.x))].sort((a, b) => a - b);
      const near = (one, two) => one === two || (one > 0 && two > 0 && Math.max(one / two, two / one) < NEAR);
      const steps = all.filter((value, i) => i === 0 || !data.snap || !near(value, all[i - 1]));
      picture.replaceChildren();
      slider.max = Math.max(0, steps.length - 1);
      state.at = Math.min(state.at, Math.max(0, steps.length - 1));
      slider.value = state.at;
      if (!rows.length) { readout.textContent = "Choose an architecture."; return; }
      const ends = rows.flatMap((r) => [r.mean, r.lo ?? r.mean, r.hi ?? r.mean]);
      const means = rows.map((r) => r.mean);
      // An interval of two seeds can be absurdly wide: let the means decide the frame, the bands may leave it.
      const room = (Math.max(...means) - Math.min(...means) || Math.abs(means[0]) || 1) * 0.6;
      const low = data.logY ? Math.min(...means) * 0.8 : Math.max(Math.min(...ends), Math.min(...means) - room);
      const high = data.logY ? Math.max(...means) * 1.25 : Math.min(Math.max(...ends), Math.max(...means) + room);
      const x = scale(all[0], all[all.length - 1], LEFT + 10, WIDTH - RIGHT - 10, data.logX);
      const y = scale(low, high, HEIGHT - BOTTOM, TOP, data.logY);
      const clip = "clip" + Math.random().toString(36).slice(2);
      const region = make("clipPath", { id: clip });
      region.append(make("rect", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM }));
      picture.append(region);
      for (const t of ticks(low, high, data.logY)) {
        picture.append(make("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(t), y2: y(t) }));
        picture.append(make("text", { x: LEFT - 7, y: y(t) + 4, "text-anchor": "end" }, human(t)));
      }
      const marks = steps.length <= (narrow ? 5 : 8) ? steps : ticks(steps[0], steps[steps.length - 1], data.logX);
      for (const t of marks) picture.append(make("text", { x: x(t), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, human(t)));
      picture.append(make("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }));
      picture.append(make("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, data.xName));
      picture.append(make("text", { x: 14, y: TOP + 4, transform: `rotate(-90 14 ${(TOP + HEIGHT) / 2})`, "text-anchor": "middle" }));
      const name = picture.lastChild;
      name.setAttribute("x", 14); name.setAttribute("y", (TOP + HEIGHT - BOTTOM) / 2);
      name.setAttribute("transform", `rotate(-90 14 ${(TOP + HEIGHT - BOTTOM) / 2})`);
      name.textContent = data.yName;
      const at = steps[state.at];
      picture.append(make("line", { class: "axis", x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM, "stroke-dasharray": "3 3" }));
      const plot = make("g", { class: "series", "clip-path": `url(#${clip})` });
      const said = [];
      for (const arm of arms) {
        const line = rows.filter((r) => r.arm === arm).sort((a, b) => a.x - b.x);
        if (!line.length) continue;
        const { colour, dash, label } = data.looks[arm];
        const here = line.find((r) => r.x === at) ?? (data.snap ? line.find((r) => near(r.x, at)) : undefined);
        const banded = line.filter((r) => r.lo != null && r.hi != null);
        if (banded.length > 1) {
          const upper = banded.map((r) => `${x(r.x)},${y(r.hi)}`), lower = banded.map((r) => `${x(r.x)},${y(data.logY ? Math.max(r.lo, low / 100) : r.lo)}`).reverse();
          plot.append(make("polygon", { points: [...upper, ...lower].join(" "), fill: colour, opacity: 0.13 }));
        }
        plot.append(make("polyline", { points: line.map((r) => `${x(r.x)},${y(r.mean)}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dash }));
        for (const r of line) plot.append(make("circle", { cx: x(r.x), cy: y(r.mean), r: here === r ? 5.5 : 3.2, fill: colour }));
        if (here) said.push([here.mean, `${label} ${human(here.mean)}${here.lo != null ? ` (${human(here.lo)} to ${human(here.hi)})` : ""}`]);
      }
      picture.append(plot);
      said.sort((a, b) => a[0] - b[0]);
      readout.textContent = `At ${human(at)} ${data.xName}: ${said.map((s) => s[1]).join("; ")}.`;
    }
    draw();
  }

  const begin = () => document.querySelectorAll(".explorer").forEach((box) => { try { start(box); } catch (error) { console.error(error); } });
  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", begin) : begin();
})();
