// Speed: one regime (device, threads, precision, batch, what is done) at a time; the length on a slider.
import { bars, count, labelled, make } from "./frame.js";

export function playSpeed({ data, state, keep, stage, say }) {
  const regimes = [...new Set(data.rows.map((row) => row.regime))];
  let regime = regimes.includes(state.regime) ? state.regime : regimes[0];
  const choice = make(
    "select",
    {},
    regimes.map((one) => make("option", { value: one, selected: one === regime }, one)),
  );
  const slider = make("input", { type: "range", min: 0, step: 1 }),
    drawn = make("div");
  const lengths = () =>
    [...new Set(data.rows.filter((row) => row.regime === regime).map((row) => row.length))].sort((a, b) => a - b);
  stage.append(labelled("What is timed, and where", choice), labelled("Length, tokens", slider), drawn);
  slider.max = lengths().length - 1;
  slider.value = state.length ? lengths().indexOf(+state.length) : slider.max >> 1;

  function update() {
    slider.max = lengths().length - 1;
    const length = lengths()[slider.value];
    slider.setAttribute("aria-valuetext", `${length} tokens`);
    keep({ regime, length });
    const rows = data.rows
      .filter((row) => row.regime === regime && row.length === length)
      .sort((a, b) => b.speed - a.speed);
    drawn.replaceChildren(
      bars(
        rows.map(({ label, colour, speed, low, high }) => ({
          text: `${label}: ${count(speed)} tokens a second (${count(low)} to ${count(high)})`,
          share: speed / rows[0].speed,
          colour,
        })),
      ),
    );
    const [first, second] = rows,
      last = rows.at(-1),
      level = second && second.high >= first.low; // the intervals overlap
    const fastest = level
      ? `${first.label} and ${second.label} are not told apart at the top`
      : `${first.label} is fastest`;
    say(
      `${regime}, ${length} tokens: ${fastest}, ${(first.speed / last.speed).toFixed(1)} times the speed of ${last.label}.${regime.startsWith("training") ? " With one thread this says nothing of parallel training." : ""}`,
    );
  }
  choice.addEventListener("change", () => {
    regime = choice.value;
    update();
  });
  slider.addEventListener("input", update);
  update();
}
