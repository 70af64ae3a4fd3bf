"""Where the project lives: the one configured address (``repository`` in ``_config.yml``), and what follows from it."""

import yaml

from seqmix.paths import Paths

# Where a chapter is opened in the cloud, once there is an address to fetch it from.
LAUNCH = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}

FETCH = """\
# Only where the project is not installed (Colab): fetch and install it. Elsewhere this cell does nothing.
import importlib.util

if importlib.util.find_spec("seqmix") is None:
    import os, pathlib, subprocess, sys

    if not pathlib.Path("seqmix-project/pyproject.toml").is_file():
        part = ["--depth", "1", "--branch", "{branch}", "--filter", "blob:none", "--sparse"]
        subprocess.run(["git", "clone", "--quiet", *part, "{url}", "seqmix-project"], check=True)
        subprocess.run(["git", "-C", "seqmix-project", "sparse-checkout", "set", {folders}], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "-e", "seqmix-project[{extra}]"], check=True)
    sys.path.insert(0, str(pathlib.Path("seqmix-project/src").resolve()))
    os.chdir("seqmix-project/{place}")"""


def configuration(paths: Paths) -> dict:
    """Return ``_config.yml``, with the buttons that lead to the repository only where its address is set."""
    config = yaml.safe_load((paths.root / "_config.yml").read_text(encoding="utf-8"))
    if config.get("repository", {}).get("url"):
        config["html"] = config.get("html", {}) | {"use_repository_button": True, "use_issues_button": True}
        config["launch_buttons"] = config.get("launch_buttons", LAUNCH)
    return config


def fetching(url: str, branch: str, extra: str, folders: tuple[str, ...], place: str = "") -> str:
    """Return the code that fetches some folders of the project, installs it with an extra and goes to ``place``."""
    names = ", ".join(f'"{folder}"' for folder in folders)
    return FETCH.format(url=url, branch=branch, extra=extra, folders=names, place=place)
