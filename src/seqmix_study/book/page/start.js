// Open every demonstration of the page. Models are scripts of their own, whoever asks them; one worker answers all.
import { playBoxes } from "./boxes.js";
import { playContext } from "./context.js";
import { openFrame } from "./frame.js";
import { playHybrids } from "./hybrids.js";
import { playScaling } from "./scaling.js";
import { playSpeed } from "./speed.js";

const PLAYS = { boxes: playBoxes, context: playContext, hybrids: playHybrids, scaling: playScaling, speed: playSpeed };

function openAll() {
  let desk;
  function modelOf({ name, label }) {
    const { config, words, about } = seqmixModels[name];
    return { name, label, words, pattern: config.pattern, conv: config.conv, loss: about.loss, window: about.seq_len };
  }
  for (const box of document.querySelectorAll("section.live")) {
    const ask = (model, job) => {
      desk ??= seqmixRuntime().startDesk(
        `"use strict";\n${seqmixRuntime}\nconst take = seqmixRuntime().makeDesk(postMessage);\nonmessage = (event) => take(event.data);`,
      );
      return desk.ask({
        ...job,
        name: model.name,
        exported: seqmixModels[model.name],
        owner: `${box.id} ${model.name}`,
      });
    };
    openFrame(box, (frame) => {
      frame.data.models = (frame.data.models ?? []).map(modelOf);
      PLAYS[box.dataset.kind]({ ...frame, ask });
    });
  }
}
export function start() {
  if (document.readyState === "complete") openAll();
  else document.addEventListener("DOMContentLoaded", openAll); // after all scripts, models too
}
