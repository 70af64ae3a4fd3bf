// The fit doctor for a ladder of sizes, L(N) = E + A N^-alpha, as seqmix_study.findings.fits has it: the law is
// linear for a fixed alpha, so only alpha is searched; intervals are profile likelihood; gates decide ok, interval,
// slope_only or refused. Left out here: what is only noticed; and the seed is another, so a table on the edge of a gate
// may differ.

const ALPHAS = Array.from({ length: 2251 }, (_, i) => -1.5 + (4.5 * i) / 2250),
  BOUNDS = [0.01, 3];
const sum = (values) => values.reduce((a, b) => a + b, 0);
const mean = (values) => sum(values) / values.length;
const squares = (values) => sum(values.map((value) => value * value));

/** Share of the F distribution below x: the regularised incomplete beta function by its continued fraction. */
export function belowF(x, d1, d2) {
  if (!(x > 0)) return 0;
  const a = d1 / 2,
    b = d2 / 2,
    z = (d1 * x) / (d1 * x + d2);
  if (z === 1) return 1;
  return z < (a + 1) / (a + b + 2) ? beta(z, a, b) : 1 - beta(1 - z, b, a);
}

function beta(z, a, b) {
  let c = 1,
    d = 1 / (1 - ((a + b) * z) / (a + 1)),
    h = d;
  for (let m = 1; m < 300; m++) {
    for (const n of [
      (m * (b - m) * z) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * z) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + n * d);
      c = 1 + n / c;
      h *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-13) break;
  }
  return (Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(z) + b * Math.log1p(-z)) * h) / a;
}

/** ln Γ(x), Stirling's series after moving x above 10. */
function logGamma(x) {
  let shift = 0;
  for (; x < 10; x++) shift -= Math.log(x);
  return (
    shift +
    (x - 0.5) * Math.log(x) -
    x +
    0.5 * Math.log(2 * Math.PI) +
    1 / (12 * x) -
    1 / (360 * x ** 3) +
    1 / (1260 * x ** 5)
  );
}

/** The x with belowF(x) = level. */
export function quantileF(level, d1, d2) {
  let low = 0,
    high = 1;
  while (belowF(high, d1, d2) < level && high < 1e12) high *= 2;
  for (let n = 0; n < 100; n++) {
    const x = (low + high) / 2;
    if (belowF(x, d1, d2) < level) low = x;
    else high = x;
  }
  return high;
}
const quantileT = (level, df) => Math.sqrt(quantileF(2 * level - 1, 1, df));

/** Least squares of y on a centred x: slope, half its 95 % interval, the level at the mean of x, the squares left. */
function line(x, y) {
  const level = mean(y),
    slope = sum(x.map((one, i) => one * (y[i] - level))) / squares(x),
    left = squares(y.map((value, i) => value - level - slope * x[i]));
  return { slope, level, left, half: quantileT(0.975, y.length - 2) * Math.sqrt(left / (y.length - 2) / squares(x)) };
}

/** Weighted least squares of the loss on z_alpha(x) = (1 - exp(-alpha x)) / alpha. */
function solve(x, y, alpha, weight) {
  const n = x.length, // plain loops: a verdict solves this some thirty thousand times
    z = new Float64Array(n);
  let total = 0,
    mz = 0,
    my = 0,
    spread = 0,
    both = 0,
    sse = 0;
  for (let i = 0; i < n; i++) {
    const w = weight ? weight[i] : 1;
    z[i] = alpha === 0 ? x[i] : -Math.expm1(-alpha * x[i]) / alpha;
    total += w;
    mz += w * z[i];
    my += w * y[i];
  }
  mz /= total;
  my /= total;
  for (let i = 0; i < n; i++) {
    const w = weight ? weight[i] : 1;
    spread += w * (z[i] - mz) ** 2;
    both += w * (z[i] - mz) * (y[i] - my);
  }
  const c1 = both / spread;
  for (let i = 0; i < n; i++) sse += (weight ? weight[i] : 1) * (y[i] - my - c1 * (z[i] - mz)) ** 2;
  return { c0: my - c1 * mz, c1, mz, spread, sse };
}

/** The squares left by the law and a term of the shape `start` that is not below zero. */
function started(x, y, alpha, start) {
  const left = [y, start].map((values) => {
    const { c0, c1 } = solve(x, values, alpha);
    return values.map((value, i) => value - c0 - c1 * (alpha === 0 ? x[i] : -Math.expm1(-alpha * x[i]) / alpha));
  });
  const own = squares(left[1]), // nothing where the law itself has the shape of the start
    shared = Math.max(sum(left[0].map((value, i) => value * left[1][i])), 0);
  return squares(left[0]) - (own > 1e-12 ? (shared * shared) / own : 0);
}

function profile(logN, y, weight, fine = true, start = null) {
  const centre = mean(logN),
    x = logN.map((one) => one - centre),
    at = (alpha) => ({ ...solve(x, y, alpha, weight), ...(start && { sse: started(x, y, alpha, start) }) });
  const lowest = (alphas) =>
    alphas.reduce(
      (best, alpha) => {
        const { sse } = at(alpha);
        return sse < best[1] ? [alpha, sse] : best;
      },
      [0, Infinity],
    )[0];
  const step = ALPHAS[1] - ALPHAS[0];
  const coarse = lowest(ALPHAS.filter((_, i) => i % 10 === 0)); // the profile is smooth: ten at a time, then between
  let alpha = lowest(ALPHAS.filter((one) => Math.abs(one - coarse) < 10.5 * step));
  const onBound = alpha === ALPHAS[0] || alpha === ALPHAS.at(-1);
  for (let width = step; fine && !onBound && width > 1e-13; width /= 4)
    alpha = lowest([-4, -3, -2, -1, 0, 1, 2, 3, 4].map((n) => alpha + (n * width) / 4));
  const { c0, c1, sse } = at(alpha),
    safe = alpha || 1e-12,
    scale = Math.exp(alpha * centre);
  const values = { E: c0 + c1 / safe, A: (-c1 / safe) * scale, alpha };
  return { at, centre, x, alpha, minimum: sse, values, df: y.length - 3 };
}

/** The alphas, and the floors E, whose sum of squares stays below the threshold of the profile likelihood. */
function intervals(fit) {
  const limit = fit.minimum * (1 + quantileF(0.95, 1, fit.df) / fit.df),
    inside = (alpha) => fit.at(alpha).sse <= limit;
  const cross = (direction) => {
    let inner = fit.alpha,
      outer = null;
    for (const one of direction > 0 ? ALPHAS : [...ALPHAS].reverse()) {
      if ((one - fit.alpha) * direction > 0) inside(one) ? ((inner = one), (outer = null)) : (outer ??= one);
    }
    if (outer === null) return direction * Infinity;
    for (let n = 0; n < 40; n++) {
      const middle = (inner + outer) / 2;
      if (inside(middle)) inner = middle;
      else outer = middle;
    }
    return (inner + outer) / 2;
  };
  const [low, high] = [cross(-1), cross(1)],
    ends = [-Infinity, Infinity];
  if (!(low > 0 && Number.isFinite(high))) return { alpha: [low, high], E: ends };
  const floors = Array.from({ length: 401 }, (_, i) => low + ((high - low) * i) / 400).map((alpha) => {
    const { c0, c1, mz, spread, sse } = fit.at(alpha);
    const width = Math.sqrt(Math.max(limit - sse, 0) * (1 / fit.x.length + (1 / alpha - mz) ** 2 / spread));
    return [c0 + c1 / alpha - width, c0 + c1 / alpha + width];
  });
  return { alpha: [low, high], E: [Math.min(...floors.map(([a]) => a)), Math.max(...floors.map(([, b]) => b))] };
}

/** Share of resamples of the sizes (at least four different ones) whose alpha stays off its bounds. */
function bootstrapShare(logN, y, resamples = 120) {
  let seed = 1,
    inside = 0;
  const roll = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let n = 0; n < resamples; n++) {
    let weight;
    do {
      weight = y.map(() => 0);
      for (let i = 0; i < y.length; i++) weight[Math.floor(roll() * y.length)] += 1;
    } while (weight.filter(Boolean).length < 4);
    const { alpha } = profile(logN, y, weight, false);
    inside += alpha > BOUNDS[0] && alpha < BOUNDS[1];
  }
  return inside / resamples;
}

/** The largest size predicted from the others: its error in standard errors, and their degrees of freedom. */
function holdOut(logN, y) {
  const fit = profile(logN.slice(0, -1), y.slice(0, -1)),
    { E, A, alpha } = fit.values;
  if (!(A > 0)) return { t: Infinity, df: fit.df };
  const x = logN.map((one) => one - fit.centre),
    amplitude = A * Math.exp(-alpha * fit.centre);
  const rows = x.map((one) => [1, Math.exp(-alpha * one), -amplitude * one * Math.exp(-alpha * one)]),
    last = rows.pop();
  const normal = [0, 1, 2].map((i) => [0, 1, 2].map((j) => sum(rows.map((row) => row[i] * row[j]))));
  const leverage = sum(linear(normal, last).map((value, i) => value * last[i]));
  const predicted = E + amplitude * Math.exp(-alpha * x.at(-1));
  const error = Math.sqrt((fit.minimum / fit.df) * (1 + leverage));
  return { t: Math.abs(y.at(-1) - predicted) / Math.max(error, 1e-9 * Math.abs(predicted)), df: fit.df };
}

/** Solve M v = b by elimination with pivots. */
function linear(matrix, b) {
  const rows = matrix.map((row, i) => [...row, b[i]]);
  rows.forEach((_, i) => {
    const pivot = rows.reduce((best, row, j) => (j >= i && Math.abs(row[i]) > Math.abs(rows[best][i]) ? j : best), i);
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    rows.forEach((row, j) => {
      if (j !== i) {
        const f = row[i] / rows[i][i];
        rows[j] = row.map((value, k) => value - f * rows[i][k]);
      }
    });
  });
  return rows.map((row, i) => row.at(-1) / row[i]);
}

/**
 * The doctor's verdict on size means: `sizes` ascending, `losses` their means, `seeds` repeats of each and `sd` the
 * standard deviation between them. Returns {status, reasons, values, alpha: [low, high], slope}.
 */
export function fitLadder(sizes, losses, seeds, sd) {
  const k = sizes.length,
    logN = sizes.map(Math.log),
    failed = [],
    decades = k ? Math.log10(sizes[k - 1] / sizes[0]) : 0;
  const fail = (severity, reason) => failed.push({ severity, reason });
  const check = (passed, severity, reason) => passed || fail(severity, reason);
  const span = Math.max(...losses) - Math.min(...losses),
    se = sd / Math.sqrt(seeds),
    wanted = k >= 7 ? 2 : 3;
  check(k >= 5, "refused", `too few sizes: ${k}, a law needs 5`);
  check(decades >= 1.5 - 1e-9, "refused", `range of sizes too short: ${decades.toFixed(2)} decades, a law needs 1.5`);
  check(seeds >= wanted, "refused", `too few seeds: ${seeds} a size, ${k} sizes need ${wanted}`);
  check(sd > 1e-12 * Math.max(...losses), "refused", "repeats have exactly equal losses: copies and not repeats");
  if (k < 4) return { status: "refused", reasons: failed.map((one) => one.reason) };
  const limit = Math.max(2 * se * Math.SQRT2, 0.05 * span);
  const rise = Math.max(...losses.slice(1).map((loss, i) => loss - losses[i]));
  check(losses[k - 1] < losses[0], "refused", "the loss does not fall with size: no scaling law");
  check(
    rise <= limit,
    "refused",
    `the loss rises between two sizes by ${rise.toPrecision(2)} nats (allowed ${limit.toPrecision(2)})`,
  );

  const free = profile(logN, losses),
    wide = intervals(free),
    x = free.x,
    flat = losses.map((loss) => loss - mean(losses));
  const { slope, half, left: straight } = line(x, losses),
    slopes = [slope - half, slope + half];
  let fit = free,
    [low, high] = wide.alpha,
    floor = "needed",
    width = 0.5;
  const small = Math.min(...losses);
  if (Number.isFinite(wide.E[1]) && wide.E[0] <= 1e-6 * small) {
    if (wide.E[1] < -1e-6 * small) floor = "negative";
    else if (wide.E[1] > 0.25 * small) width = 0.25;
    else {
      floor = "zero";
      const pure = line(x, losses.map(Math.log)),
        alpha = -pure.slope,
        minimum = squares(losses.map((loss, i) => loss - Math.exp(pure.level - alpha * x[i])));
      fit = { alpha, minimum, df: k - 2, values: { E: 0, A: Math.exp(pure.level + alpha * free.centre), alpha } };
      [low, high] = [Math.min(low, alpha - pure.half), Math.max(high, alpha + pure.half)];
    }
  }
  const sigma = Math.sqrt(fit.minimum / fit.df);
  const tail = (restricted, full, d1, df) =>
    restricted <= full ? 1 : full <= 0 ? 0 : 1 - belowF((((restricted - full) / full) * df) / d1, d1, df);
  check(
    !(span / se < 10),
    "refused",
    `signal too small: the losses span ${(span / se).toFixed(1)} standard errors (needed: 10)`,
  );
  check(
    slopes[1] < 0 || slopes[0] > 0 || tail(squares(flat), free.minimum, 2, free.df) < 0.01,
    "refused",
    "no trend: the slope may be zero",
  );
  const noisy = k >= 7 ? 0.08 : 0.04;
  check(
    sigma / span <= noisy,
    "slope_only",
    `residuals too large: ${((100 * sigma) / span).toFixed(1)} % of the range (allowed ${100 * noisy} %)`,
  );
  const closed = fit.alpha > BOUNDS[0] && fit.alpha < BOUNDS[1] && low > BOUNDS[0] && high < BOUNDS[1];
  check(closed, "slope_only", `alpha is not closed: its interval is ${low.toPrecision(2)} to ${high.toPrecision(2)}`);
  check(
    !closed || floor === "zero" || low * decades >= 0.16,
    "slope_only",
    "too shallow for its range: no different from a straight line",
  );
  check(floor !== "negative", "slope_only", "the floor comes out negative: the loss falls faster than a power law");
  const bent = tail(straight, free.minimum, 1, free.df);
  check(bent < 0.05, "slope_only", `no curvature: a straight line in ln N fits as well (p = ${bent.toPrecision(2)})`);
  check((high - low) / 2 / Math.abs(fit.alpha) <= width, "slope_only", "the interval of alpha is too wide to quote");
  if (k >= 5) {
    const share = bootstrapShare(logN, losses);
    check(
      share >= (k >= 7 ? 0.95 : 0.9),
      "slope_only",
      `unstable: ${Math.round(100 * share)} % of the resamples keep alpha off its bounds`,
    );
    const { t, df } = holdOut(logN, losses);
    check(!(t > quantileT(0.995, df)), "slope_only", "the largest size is not predicted from the others");
  }
  const scatter = fit.minimum / fit.df / Math.max(se * se, (1e-9 * mean(losses)) ** 2);
  if (k >= 5 && seeds > 1 && 1 - belowF(scatter, fit.df, k * (seeds - 1)) < 0.5) {
    const times = sizes.map((n) => n / sizes[0]), // the law may fail at its small end: what it says with a start
      shapes = [times.map((one) => 1 / one), times.map((one) => Math.exp((1 - one) / 2))],
      moves = [0, ...shapes.map((shape) => profile(logN, losses, null, true, shape).alpha - fit.alpha)];
    [low, high] = [low + Math.min(...moves), high + Math.max(...moves)];
    const narrow = (high - low) / 2 / Math.abs(fit.alpha) <= 0.5;
    check(narrow, "interval", `only an interval may be quoted: ${low.toPrecision(2)} to ${high.toPrecision(2)}`);
  }
  const [hard, soft] = ["refused", "slope_only"].map((word) => failed.filter((one) => one.severity === word));
  const poor = soft.length ? "slope_only" : failed.length ? "interval" : "ok";
  const status = hard.length || (soft.length && !(slopes[1] < 0)) ? "refused" : poor;
  return {
    status,
    reasons: (hard.length ? hard : failed).map((one) => one.reason),
    values: fit.values,
    alpha: [low, high],
    slope: slopes,
  };
}
