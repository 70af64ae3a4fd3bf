// Open every demonstration of the page. Each model is a script of its own, loaded once it is needed; one worker answers
// all. The script's own tag names what the first answers need: worker and weights get ready while the page is read.
import { playBoxes } from "./boxes.js";
import { playContext } from "./context.js";
import { make, openFrame } from "./frame.js";
import { playHybrids } from "./hybrids.js";
import { playScaling } from "./scaling.js";
import { playSpeed } from "./speed.js";

const PLAYS = { boxes: playBoxes, context: playContext, hybrids: playHybrids, scaling: playScaling, speed: playSpeed };

export function start() {
  const { src, dataset } = document.currentScript,
    loading = new Map();
  let desk;
  const startWorker = () =>
    (desk ??= seqmixRuntime().startDesk(
      `"use strict";\n${seqmixRuntime}\nconst take = seqmixRuntime().makeDesk(postMessage);\nonmessage = (event) => take(event.data);`,
    ));
  function load(name) {
    const loaded = (resolve, reject) => {
      const fail = (what) => () => {
        loading.delete(name); // who asks again tries again
        reject(new Error(`The model ${name} ${what}.`));
      };
      const found = () => globalThis.seqmixModels?.[name],
        onerror = fail("cannot be loaded"),
        onload = () => (found() ? resolve(found()) : fail("is damaged")());
      document.head.append(make("script", { src: new URL(`models/${name}.js`, src), onload, onerror }));
    };
    if (!loading.has(name)) loading.set(name, new Promise(loaded));
    return loading.get(name);
  }
  const send = async (name, owner, job) => {
    const exported = await load(name);
    return startWorker().ask({ ...job, name, exported, owner });
  };
  function openAll() {
    for (const box of document.querySelectorAll("section.live")) {
      const ask = (model, job) => send(model.name, `${box.id} ${model.name}`, job);
      openFrame(box, (frame) => PLAYS[box.dataset.kind]({ ...frame, ask }));
    }
  }
  const names = dataset.models.split(" ").filter(Boolean);
  if (names.length) startWorker();
  for (const name of names) send(name, `open ${name}`, { kind: "open" }).catch(() => {}); // who asks it is told
  if (document.readyState === "loading") document.addEventListener("readystatechange", openAll, { once: true });
  else openAll();
}
