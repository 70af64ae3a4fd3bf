"""One visual language for all figures: colour, marker, line and label per architecture, and matplotlib's settings.

The colours (after Okabe & Ito 2008, darkened) differ for the common kinds of colour blindness, reach a contrast of 4.5
on white as text, and keep their hue in dark mode (the page's style sheet inverts lightness only). Marker and line style
say the same again, for print in grey.
"""

import functools
import re
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import yaml

from seqmix.mixers import MIXERS, mixer
from seqmix.paths import Paths

FOLDER = Path(__file__).parent
FILE = yaml.safe_load((FOLDER / "looks.yaml").read_text(encoding="utf-8"))

# Family of the stacks that mix several kinds of layers.
MIX = "hybrid"

# The package's own mixers, whose descriptors need no torch.
OWN = [mixer(letter) for letter, place in MIXERS.items() if str(place).startswith("seqmix.mixers.")]

PALETTE = {each.family: each.colour for each in OWN} | {MIX: FILE["mix"]}

# matplotlib's settings; a seaborn plot takes them as its theme.
RC = mpl.rc_params_from_file(FOLDER / "book.mplstyle", use_default_template=False)
RC["axes.prop_cycle"] = mpl.cycler(color=list(PALETTE.values()))
INK, GREY = RC["text.color"], RC["axes.edgecolor"]


@dataclass(frozen=True)
class Look:
    """How an arm is drawn and named."""

    colour: str
    marker: str
    line: str | tuple
    label: str
    family: str


def pure(letter: str) -> Look:
    """Return the look of a stack of one mixer, as the mixer's descriptor has it."""
    m = mixer(letter)
    return Look(m.colour, m.marker, m.line, m.label, m.family)


def changed(found: Look, change: dict) -> Look:
    """Return a look with the changes of an entry of ``looks.yaml``, whose lines are lengths of ink and gap."""
    lines = {"line": (0, tuple(change["line"]))} if "line" in change else {}
    return replace(found, **{name: value for name, value in change.items() if name != "mixer"} | lines)


# Every arm with a name of its own; others are drawn by their name or by what ``studies/arms.yaml`` says of them.
LOOKS = {arm: changed(pure(about["mixer"]), about) for arm, about in FILE["arms"].items()}

MIX_MARKERS = "ph*d<>vXP8H"

HYBRID = re.compile(r"^hybrid_(\d+)(?:_(\w+))?$")
HYBRID_LAYERS = 12

# How the lines of another execution are named, beside the published ones.
YOURS = "yours: "


def look(arm: str) -> Look:
    """Return the look of an arm; an unknown arm is grey and called by its own name."""
    if arm in LOOKS:
        return LOOKS[arm]
    if match := HYBRID.match(arm):
        return _hybrid(int(match[1]), match[2] or "")
    return _from_library(arm) or Look(GREY, "o", "-", arm.replace("_", " "), "other")


def _hybrid(layers: int, place: str) -> Look:
    """``layers`` attention layers of twelve: the pure ends look like the pure architectures."""
    if layers == 0:
        pure = LOOKS["deltanet_noconv" if place == "noconv" else "deltanet"]
        return replace(pure, label=f"{pure.label} (0 of {HYBRID_LAYERS})")
    if layers == HYBRID_LAYERS:
        pure = LOOKS["transformer_conv" if place == "conv" else "transformer"]
        return replace(pure, label=f"{pure.label} ({HYBRID_LAYERS} of {HYBRID_LAYERS})")
    where = FILE["places"].get(place, {"marker": "p", "label": place.replace("_", " ")})
    label = f"{layers} of {HYBRID_LAYERS} attention" + (f", {where['label']}" if where["label"] else "")
    return Look(PALETTE[MIX], where["marker"], "-", label, MIX)


@functools.lru_cache
def _patterns(paths: Paths) -> dict[str, str]:
    """Return arm -> pattern of ``studies/arms.yaml``, read once for each place."""
    file = paths.studies / "arms.yaml"
    arms = yaml.safe_load(file.read_text("utf-8"))["arms"] if file.exists() else {}
    return {arm: spec["pattern"] for arm, spec in arms.items()}


def pattern(arm: str) -> str:
    """Return the letters of an arm's layers, bottom first; raises KeyError for an arm that no study knows."""
    return _patterns(Paths())[arm]


def _from_library(arm: str) -> Look | None:
    """Return the look of an arm by its pattern: the mixer's own, or one of the mixes'; switches change the dashes."""
    patterns = _patterns(Paths())
    if (pattern := patterns.get(arm)) is None:
        return None
    kinds = [mixer(letter).label for letter in dict.fromkeys(pattern)]
    if len(kinds) == 1:
        found = pure(pattern[0])
    else:
        mixes = [name for name, letters in patterns.items() if len(set(letters)) > 1 and not HYBRID.match(name)]
        marker = MIX_MARKERS[mixes.index(arm) % len(MIX_MARKERS)]
        label = ", then ".join(kinds) if len(pattern) == 2 else f"{pattern}: {' + '.join(kinds)}"
        found = Look(PALETTE[MIX], marker, "-", label, MIX)
    for ending, change in FILE["endings"].items():
        if ending in arm:
            found = changed(found, change | {"label": f"{found.label}, {change['label']}"})
    return found


def order(arms) -> list[str]:
    """Return the arms in the order in which legends and tables list them."""
    known = [*LOOKS, *_patterns(Paths())]
    return sorted(dict.fromkeys(arms), key=lambda arm: known.index(arm) if arm in known else len(known))


@functools.lru_cache
def _labels(paths: Paths) -> dict[str, str]:
    """Return label -> arm of every arm that the library knows, in the order of legends; once for each place."""
    return {look(arm).label: arm for arm in order([*LOOKS, *_patterns(paths)])}


def look_of(label: str) -> Look:
    """Return the look of the arm that is called this in figures; what is no arm under its own name, in ink."""
    name = label.removeprefix(YOURS)
    colour = next((PALETTE[f] for start, f in FILE["first_words"].items() if name.startswith(start)), INK)
    other = Look(colour, "o", "-", name, "other")
    found = look(labels[name]) if name in (labels := _labels(Paths())) else other
    return found if name == label else replace(found, label=label, line=(0, (1, 1)))


def order_labels(labels) -> list[str]:
    """Return names of figures in the order of legends; names of no arm come last, as they came."""
    places = {label: place for place, label in enumerate(_labels(Paths()))}
    return sorted(dict.fromkeys(labels), key=lambda label: places.get(label.removeprefix(YOURS), len(places)))


def use() -> None:
    """Set matplotlib up for the book; the chapters call this once, before the first figure."""
    mpl.rcParams.update(RC)
