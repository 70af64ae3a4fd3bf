// node page_demonstrations.js CHROMIUM PAGE.html: every demonstration of a page, opened from the disk without network
// and used by keyboard alone; one JSON line each. playwright-core and axe-core must be resolvable (NODE_PATH).
const fs = require("node:fs");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");
const [executablePath, file] = process.argv.slice(2);
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--no-first-run",
  "--host-resolver-rules=MAP * ~NOTFOUND",
];
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const address = pathToFileURL(file).href;

const MOVES = {
  context: ["", "Enter"],
  boxes: ["One swap more", "Enter"],
  hybrids: ["1:", "Enter"],
  scaling: ["Drop the largest", "Enter"],
  speed: ["range", "ArrowRight"],
}; // what a reader does next: the control, and the key pressed on it

async function tabTo(page, id, wanted) {
  for (let n = 0; n < 300; n++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(
      ([id, wanted]) => {
        const here = document.activeElement;
        return here.closest(`#${id}`) && (here.type === wanted || here.textContent.startsWith(wanted));
      },
      [id, wanted],
    );
    if (found) return;
  }
  throw new Error(`${id}: Tab never reaches ${wanted}`);
}

/** Until the whole answer is there: the first model's is shown as soon as it is known. */
const answered = (page, id) => page.waitForSelector(`#${id} .live-said:not([aria-busy="true"]):not(:empty)`);

async function play(context, id) {
  const page = await context.newPage(),
    outside = [],
    errors = [];
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) outside.push(request.url());
  });
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(address, { waitUntil: "domcontentloaded" });
  const hidden = await page.locator(`#${id} .live-finding`).isHidden();
  await tabTo(page, id, "radio");
  await page.keyboard.press("ArrowDown");
  await tabTo(page, id, "Ask the models");
  const asked = Date.now();
  await page.keyboard.press("Enter");
  await page.waitForFunction((id) => document.querySelector(`#${id} .live-said`).textContent, id);
  await answered(page, id);
  const workers = page.workers().length;
  const seconds = (Date.now() - asked) / 1000;
  const first = await page.locator(`#${id} .live-said`).textContent(),
    kind = await page.locator(`#${id}`).getAttribute("data-kind");
  const sentence = kind === "context" ? await page.locator(`#${id} .live-sentences button`).first().textContent() : "";
  await page.locator(`#${id} .live-stage`).evaluate((stage) => {
    stage.tabIndex = -1;
    stage.focus();
  });
  await tabTo(page, id, sentence || MOVES[kind][0]);
  await page.keyboard.press(MOVES[kind][1]);
  await page.waitForFunction(
    ([id, first]) => document.querySelector(`#${id} .live-said`).textContent !== first,
    [id, first],
  );
  await answered(page, id);
  const focused = await page.evaluate((id) => !!document.activeElement.closest(`#${id}`), id); // once it has answered
  await tabTo(page, id, "Show what the study found");
  await page.keyboard.press("Enter");
  const shown = await page.locator(`#${id} .live-finding`).isVisible(),
    said = await page.locator(`#${id} .live-said`).textContent();
  await page.evaluate(axe);
  const violations = (await page.evaluate((id) => axe.run(`#${id}`, { preload: false }), id)).violations.map(
    (one) => `${one.id}: ${one.nodes[0].target}`,
  );
  const shared = page.url(),
    wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  const again = await context.newPage();
  await again.goto(shared);
  await answered(again, id);
  const same =
    (await again.locator(`#${id} .live-said`).textContent()) === said &&
    (await again.locator(`#${id} .live-finding`).isVisible());
  console.log(
    JSON.stringify({
      id,
      hidden,
      shown,
      seconds,
      said,
      outside,
      errors,
      violations,
      wide,
      shared: shared.slice(address.length),
      same,
      focused,
      workers,
    }),
  );
  if (process.env.PICTURES)
    await page.locator(`#${id}`).screenshot({ path: `${process.env.PICTURES}/${context.view}-${id}.png` });
  await page.close();
  await again.close();
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const bare = await plain.newPage();
  await bare.goto(address);
  const ids =
    (await bare
      .locator("section.live")
      .evaluateAll((all) => all.map((one) => one.id))
      .catch(() => null)) ?? [];
  const static_ = await bare.locator(".live-finding").count(),
    seen = await bare.locator(".live-finding:visible").count();
  console.log(JSON.stringify({ static: static_, seen }));
  for (const [view, width, scheme] of [
    ["desk", 1280, "light"],
    ["phone", 390, "dark"],
  ]) {
    const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme: scheme, offline: true });
    context.view = view;
    if (view === "phone")
      await context.addInitScript(() => {
        window.Worker = undefined;
      }); // the page itself must do
    for (const id of ids) await play(context, id);
    await context.close();
  }
  await browser.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
