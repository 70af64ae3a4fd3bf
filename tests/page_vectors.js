// node page_vectors.js SCRIPT FILE...: one JSON line a model with what the page computes on the model's own vector.
// `parallel`: the text in one go; `step`: the same token by token, with a copied state continued twice at the middle.
const fs = require("node:fs");
const [script, ...files] = process.argv.slice(2);
const { buildModel, losses } = require(script);

for (const file of files) {
  const exported = JSON.parse(fs.readFileSync(file, "utf8")),
    { tokens } = exported.check;
  const model = buildModel(exported),
    state = model.start(),
    half = tokens.length >> 1;
  for (const token of tokens.slice(0, half)) model.step(token, state);
  const copy = model.copy(state);
  for (const token of tokens.slice(half).reverse()) model.step(token, copy); // must not disturb `state`
  let logits;
  for (const token of tokens.slice(half)) logits = model.step(token, state);
  const started = process.hrtime.bigint();
  const found = [...losses(model, tokens)].at(-1);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  console.log(JSON.stringify({ losses: found, logits: [...logits], tokensPerSecond: tokens.length / seconds }));
}
