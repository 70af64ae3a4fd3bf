// node page_functions.js SCRIPT: reads [[function, arguments...], ...] from its input, writes the results as JSON.
const functions = require(process.argv[2]);
const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(calls.map(([name, ...given]) => functions[name](...given))));
