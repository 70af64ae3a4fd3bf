// Jobs run in a worker where the browser allows one (from a Blob, so that file:// works too), else here in short
// slices.
import { answers, buildModel, losses } from "./model.js";

const SLICE = 25; // milliseconds of work before others may speak

/**
 * Answers {id, name, exported?, kind, ...} with {id, value, done}, one job after another, so that the first asked is
 * the first told; a job whose `owner` asks again is given up. The kind "open" only builds the model.
 */
export function makeDesk(reply) {
  const models = new Map(),
    newest = new Map();
  let last = Promise.resolve();
  async function work(job) {
    try {
      if (job.exported) models.set(job.name, buildModel(job.exported));
      if (job.kind === "open" || newest.get(job.owner) !== job.id) return reply({ id: job.id, value: null, done: true });
      const model = models.get(job.name);
      const work =
        job.kind === "losses" ? losses(model, job.tokens) : answers(model, job.tokens, job.questions, job.choices);
      let since = performance.now();
      for (let next = work.next(); ; next = work.next()) {
        if (next.done) return reply({ id: job.id, value: checked(next.value, job.name), done: true });
        if (performance.now() - since < SLICE) continue;
        reply({ id: job.id, value: job.kind === "losses" ? next.value : null, done: false });
        await new Promise((go) => setTimeout(go));
        if (newest.get(job.owner) !== job.id) return reply({ id: job.id, value: null, done: true });
        since = performance.now();
      }
    } catch (error) {
      reply({ id: job.id, error: error.message, done: true });
    }
  }
  function checked(value, name) {
    for (const row of value) if (![row].flat().every(Number.isFinite)) throw new Error(`The model ${name} is damaged.`);
    return value;
  }
  return (job) => {
    newest.set(job.owner, job.id);
    return (last = last.then(() => work(job)));
  };
}

/** `ask(job, partly)` -> promise of the value (null: a newer job took its place); `source` is this whole runtime's text. */
export function startDesk(source) {
  const waiting = new Map(),
    known = new Set();
  let count = 0,
    post,
    place = "worker";
  const hear = ({ id, value, error, done }) => {
    const { resolve, reject, partly } = waiting.get(id);
    if (!done) return value && partly?.(value);
    waiting.delete(id);
    error ? reject(new Error(error)) : resolve(value);
  };
  try {
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    worker.onmessage = (event) => hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      useHere();
    };
    post = (job) => worker.postMessage(job);
  } catch {
    useHere();
  }
  function useHere() {
    const take = makeDesk((answer) => hear(answer));
    place = "page";
    post = (job) => setTimeout(() => take(job));
    known.clear();
    for (const [, { job }] of waiting) send(job);
  }
  function send(job) {
    post(known.has(job.name) ? { ...job, exported: null } : job);
    known.add(job.name);
  }
  return {
    place: () => place,
    ask: (job, partly) =>
      new Promise((resolve, reject) => {
        job = { ...job, id: ++count };
        waiting.set(job.id, { resolve, reject, partly, job });
        send(job);
      }),
  };
}
