"""Join the modules of ``book/page`` to one plain script: pages opened from a disk may not load modules.

The runtime (models and worker) becomes a function of its own, so that its text can start a worker; the
demonstrations follow it. A module's ``import`` and ``export`` lines are what the joining replaces: names are unique.
"""

import re
from pathlib import Path

HERE = Path(__file__).parents[1] / "page"
RUNTIME = ("numbers", "attention", "lstm", "mlstm", "recurrence", "model", "worker")
DEMONSTRATIONS = ("frame", "text", "ladder", "context", "boxes", "hybrids", "scaling", "speed", "start")
PUBLIC = ("answers", "buildModel", "losses", "makeDesk", "startDesk")
IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|function\*?|async function) (\w+))", re.MULTILINE)


def joined(names: tuple[str, ...]) -> str:
    """Return the modules' text without imports and exports; FileNotFoundError if one is missing."""
    texts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "\n".join(EXPORT.sub("", IMPORT.sub("", text)) for text in texts)


def script() -> str:
    """Return the script of the book's pages; node, which has no page, gets what modules export, to test it."""
    runtime = f"function seqmixRuntime() {{\n{joined(RUNTIME)}\nreturn {{ {', '.join(PUBLIC)} }};\n}}\n"
    tested = EXPORT.findall("\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in DEMONSTRATIONS))
    node = f"module.exports = {{ ...seqmixRuntime(), {', '.join(tested)} }};"
    start = f'if (typeof module === "object") {node}\nelse start();'
    return f'"use strict";\n(() => {{\n{runtime}{joined(DEMONSTRATIONS)}\n{start}\n}})();\n'
