"""Where the project lives: the one configured address (``repository`` in ``_config.yml``), and what follows from it."""

import yaml

from seqmix.paths import Paths
from seqmix_study.chapters.common import template


def configuration(paths: Paths) -> dict:
    """Return ``_config.yml``, without the buttons that lead to the repository while its address is not set."""
    config = yaml.safe_load((paths.root / "_config.yml").read_text(encoding="utf-8"))
    if not config.get("repository", {}).get("url"):
        config.pop("launch_buttons", None)
        config["html"] = {key: value for key, value in config.get("html", {}).items() if not key.endswith("_button")}
    return config


def fetching(url: str, branch: str, extra: str, folders: tuple[str, ...], place: str = "") -> str:
    """Return the code that fetches some folders of the project, installs it with an extra and goes to ``place``."""
    return template("fetch.txt").render(url=url, branch=branch, extra=extra, folders=folders, place=place)
