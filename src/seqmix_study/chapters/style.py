"""One visual language for all figures: colour, marker, line and label per architecture, and matplotlib's settings.

The colours (after Okabe & Ito 2008, darkened) differ for the common kinds of colour blindness, reach a contrast of 4.5
on white as text, and keep their hue in dark mode (the page's style sheet inverts lightness only). Marker and line style
say the same again, for print in grey.
"""

import functools
import re
from dataclasses import dataclass, replace

import matplotlib as mpl
import yaml

from seqmix.mixers import MIXERS, mixer
from seqmix.paths import Paths

INK = "#24292f"
GREY = "#6a737d"
# Family of the stacks that mix several kinds of layers.
MIX = "hybrid"

# The package's own mixers, whose descriptors need no torch.
OWN = [mixer(letter) for letter, place in MIXERS.items() if str(place).startswith("seqmix.mixers.")]

PALETTE = {each.family: each.colour for each in OWN} | {MIX: "#94398a"}


@dataclass(frozen=True)
class Look:
    """How an arm is drawn and named."""

    colour: str
    marker: str
    line: str | tuple
    label: str
    family: str


def pure(letter: str, **change) -> Look:
    """Return the look of a stack of one mixer, as the mixer's descriptor has it, with changes."""
    m = mixer(letter)
    return replace(Look(m.colour, m.marker, m.line, m.label, m.family), **change)


# Every arm with a name of its own; others are drawn by their name or by what ``studies/arms.yaml`` says of them.
LOOKS = {
    "transformer": pure("A", label="Transformer"),
    "transformer_conv": Look("#3f88c9", "o", (0, (4, 1.5)), "Transformer + convolution", "attention"),
    "transformer_nope": pure("A", label="Transformer without positions", line=(0, (1, 1.2))),
    "lstm": Look("#a23c00", "s", "-", "best LSTM", "lstm"),  # of its family, by the validation text
    "lstm_block": pure("L", label="LSTM in the block"),
    "lstm_1": Look("#d1661c", "1", (0, (1, 1.2)), "LSTM, 1 layer", "lstm"),
    "lstm_2": Look("#a23c00", "2", (0, (4, 1.5)), "LSTM, 2 layers", "lstm"),
    "lstm_4": Look("#6e2800", "3", (0, (6, 1.5, 1, 1.5)), "LSTM, 4 layers", "lstm"),
    "lstm_1_chrono": Look("#8f1d2c", "P", "-", "LSTM, chrono bias", "lstm"),
    "lstm_1_zero": Look("#b5651d", "X", (0, (3, 1, 1, 1, 1, 1)), "LSTM, forget bias 0", "lstm"),
    "deltanet": pure("D"),
    "deltanet_noconv": Look("#3f9d82", "^", (0, (4, 1.5)), "DeltaNet, no convolution", "deltanet"),
    "gated_deltanet": pure("G"),
    "lstm_as_written": Look("#d1661c", "s", (0, (1, 1.2)), "LSTM as written", "lstm"),
    "lstm_matched": Look("#a23c00", "D", "-", "LSTM, equal size", "lstm"),
    "transformer_as_written": Look("#3f88c9", "o", (0, (1, 1.2)), "Transformer as written", "attention"),
    "transformer_matched": Look("#0060a8", "D", "-", "Transformer, equal size", "attention"),
    "hybrid_half": Look(PALETTE["hybrid"], "p", "-", "Hybrid, half attention", "hybrid"),
}

# Ending of an arm's name -> what the label adds, and the dashes.
SWITCHES = {"_noconv": ("no convolution", (0, (4, 1.5))), "_conv": ("convolution", (0, (6, 1.5, 1, 1.5))),
            "_neg": ("eigenvalues to −1", (0, (1, 1.2)))}  # fmt: skip

MIX_MARKERS = "ph*d<>vXP8H"

PLACES = {"even": ("o", "spread evenly"), "front": ("<", "in front"), "middle": ("d", "in the middle"),
          "back": (">", "at the back"), "report": ("*", "layers 3 and 6")}  # fmt: skip
HYBRID = re.compile(r"^hybrid_(\d+)(?:_(\w+))?$")
HYBRID_LAYERS = 12

# How a name that is no arm may begin ("LSTM's floor") -> the family whose colour it has.
FIRST_WORDS = {"Transformer": "attention", "LSTM": "lstm", "DeltaNet": "deltanet"}

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
    marker, words = PLACES.get(place, ("p", place.replace("_", " ")))
    label = f"{layers} of {HYBRID_LAYERS} attention" + (f", {words}" if words else "")
    return Look(PALETTE["hybrid"], marker, "-", label, "hybrid")


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
    for ending, (words, line) in SWITCHES.items():
        if ending in arm:
            found = replace(found, label=f"{found.label}, {words}", line=line)
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
    start = next((start for start in FIRST_WORDS if name.startswith(start)), "")
    other = Look(PALETTE[FIRST_WORDS[start]] if start else INK, "o", "-", name, "other")
    found = look(labels[name]) if name in (labels := _labels(Paths())) else other
    return found if name == label else replace(found, label=label, line=(0, (1, 1)))


def order_labels(labels) -> list[str]:
    """Return names of figures in the order of legends; names of no arm come last, as they came."""
    places = {label: place for place, label in enumerate(_labels(Paths()))}
    return sorted(dict.fromkeys(labels), key=lambda label: places.get(label.removeprefix(YOURS), len(places)))


# matplotlib's settings; a seaborn plot takes them as its theme.
RC = {
    "svg.fonttype": "none",  # text as text: it can be searched, selected and read aloud
    "svg.hashsalt": "seqmix",  # the same figure gives the same bytes
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "axes.facecolor": "white",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=list(PALETTE.values())),
    "axes.formatter.use_mathtext": True,
    "grid.color": "#dfe3e8",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.9,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "text.color": INK,
}


def use() -> None:
    """Set matplotlib up for the book; the chapters call this once, before the first figure."""
    mpl.rcParams.update(RC)
