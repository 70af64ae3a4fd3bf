"""Join the modules of this folder to one plain script: pages opened from a disk may not load modules.

The runtime (models and worker) becomes a function of its own, so that its text can start a worker; the
demonstrations follow it. A module's ``import`` and ``export`` lines are what the joining replaces: names are unique.
"""

import re
from pathlib import Path

__all__ = ["RUNTIME", "script"]

HERE = Path(__file__).parent
RUNTIME = ("numbers", "attention", "lstm", "delta", "model", "worker")
PUBLIC = ("answers", "buildModel", "losses", "makeDesk", "startDesk")
DEMONSTRATIONS = ()
IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=const|function|async function)", re.MULTILINE)


def joined(names: tuple[str, ...]) -> str:
    """Return the modules' text without imports and exports; FileNotFoundError if one is missing."""
    texts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "\n".join(EXPORT.sub("", IMPORT.sub("", text)) for text in texts)


def script() -> str:
    """Return the script of the book's pages; in node it exports the runtime instead."""
    runtime = f"function seqmixRuntime() {{\n{joined(RUNTIME)}\nreturn {{ {', '.join(PUBLIC)} }};\n}}\n"
    start = 'if (typeof module === "object") module.exports = seqmixRuntime();\nelse {\n'
    return f'"use strict";\n{runtime}{start}{joined(DEMONSTRATIONS)}\n}}\n'
