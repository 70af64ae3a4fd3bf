// Open every page of the built book in headless Chromium at three views and report what a reader would suffer from.
// Usage: node crawl.js SITE OUT PAGE...   (playwright-core and axe-core must be resolvable; see crawl.py)
// One JSON object a line: view, page, outside requests, bad answers, console errors, overflow, maths, axe, bytes.
// All hosts but the local server are unresolvable, so a page that needs the network shows it.
const fs = require("fs");
const http = require("http");
const path = require("path");
const { chromium } = require("playwright-core");

const [site, out, ...pages] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json",
  ".png": "image/png", ".woff": "font/woff", ".woff2": "font/woff2" };
const VIEWS = [["desktop", 1280, 900, "light"], ["phone", 390, 844, "light"], ["dark", 1280, 900, "dark"]];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"];
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const server = http.createServer((request, response) => {
  let file = path.join(site, decodeURIComponent(request.url.split("?")[0]));
  if (file.endsWith("/")) file += "index.html";
  fs.readFile(file, (error, data) => {
    response.writeHead(error ? 404 : 200, { "content-type": TYPES[path.extname(file)] || "application/octet-stream" });
    response.end(error ? "" : data);
  });
});

async function look(context, base, view, page) {
  const tab = await context.newPage();
  tab.setDefaultTimeout(180000); // a busy machine is no finding
  const outside = new Set(), bad = new Set(), messages = [];
  let bytes = 0;
  const bodies = [];
  tab.on("request", (r) => { if (!/^(data|blob):/.test(r.url()) && !r.url().startsWith(base)) outside.add(r.url()); });
  tab.on("response", (r) => {
    if (r.status() >= 400) bad.add(`${r.status()} ${r.url()}`);
    bodies.push(r.body().then((b) => { bytes += b.length; }).catch(() => {}));
  });
  tab.on("console", (m) => { if (["error", "warning"].includes(m.type())) messages.push(m.text().slice(0, 200)); });
  tab.on("pageerror", (e) => messages.push("page error: " + e.message.slice(0, 200)));
  await tab.goto(base + page, { waitUntil: "load" });
  const maths = await tab.locator(".math").count();
  if (maths) await tab.waitForSelector("mjx-container", { state: "attached", timeout: 20000 }).catch(() => {});
  await tab.waitForTimeout(+(process.env.WAIT || 300));
  await Promise.race([Promise.all(bodies), new Promise((done) => setTimeout(done, 4000))]);
  const seen = await tab.evaluate(() => ({
    overflow: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    rendered: document.querySelectorAll("mjx-container").length,
  }));
  if (out !== "-") await tab.screenshot({ path: path.join(out, `${view}-${page.replace(/\W+/g, "_")}.png`), fullPage: true });
  await tab.evaluate(axe);
  const found = await tab.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const violations = found.violations.map((v) => ({ id: v.id, where: v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join("; ") }));
  console.log(JSON.stringify({ view, page, outside: [...outside], bad: [...bad], messages, maths, ...seen, axe: violations, bytes }));
  await tab.close();
}

server.listen(0, "127.0.0.1", async () => {
  const base = `http://127.0.0.1:${server.address().port}/`;
  if (out !== "-") fs.mkdirSync(out, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.SEQMIX_CHROMIUM, args: FLAGS });
  for (const [view, width, height, scheme] of VIEWS) {
    const phone = view === "phone";
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, isMobile: phone, hasTouch: phone });
    for (const page of pages) await look(context, base, view, page);
    await context.close();
  }
  await browser.close();
  server.close();
});
