"""Where the project lives: the one configured address (``repository`` in ``_config.yml``), and what follows from it."""

import yaml

from seqmix.paths import Paths
from seqmix_study.chapters.common import template

# Where a chapter is opened in the cloud, once there is an address to fetch it from.
LAUNCH = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


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
    return template("fetch.txt").render(url=url, branch=branch, extra=extra, folders=names, place=place)
