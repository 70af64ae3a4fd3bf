"""One look per architecture: distinct, legible, complete; a figure carries its description and its data."""

import colorsys
import itertools

import pandas as pd
import pytest
import yaml
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from seqmix.paths import Paths
from seqmix_study.chapters import style
from seqmix_study.chapters.show import show


def arms() -> list[str]:
    return list(yaml.safe_load((Paths().studies / "arms.yaml").read_text())["arms"])


def luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def seen_by(colour: str, kind: str) -> tuple[float, float, float]:
    """Colour as seen with protanopia or deuteranopia (Viénot, Brettel & Mollon 1999, linear RGB)."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    if kind == "protanopia":
        return 0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b
    return 0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b


def test_every_arm_of_the_studies_has_a_look():
    assert len(arms()) > 20
    for arm in arms():
        look = style.look(arm)
        assert look.label
        assert look.family != "other", arm
    labels = [style.look(arm).label for arm in arms()]
    assert len(set(labels)) == len(labels)


def test_looks_are_distinct():
    labels = [style.look(arm).label for arm in style.LOOKS]
    assert len(set(labels)) == len(labels)
    looks = [(style.look(a).colour, style.look(a).marker, str(style.look(a).line)) for a in style.LOOKS]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("family", style.PALETTE)
def test_family_colours_are_legible_as_text_on_white(family):
    assert 1.05 / (luminance(style.PALETTE[family]) + 0.05) >= 4.5


@pytest.mark.parametrize("kind", ["protanopia", "deuteranopia"])
def test_families_differ_for_colour_blind_readers(kind):
    """As seen, all families differ in colour (distance in linear RGB), and in their markers besides."""
    arms_ = ("transformer", "lstm_block", "deltanet", "gated_deltanet", "hybrid_half")
    for one, two in itertools.combinations([style.look(arm) for arm in arms_], 2):
        pairs = zip(seen_by(one.colour, kind), seen_by(two.colour, kind), strict=True)
        assert one.marker != two.marker
        assert sum((a - b) ** 2 for a, b in pairs) ** 0.5 > 0.02, (one.label, two.label)


def test_hues_survive_the_dark_mode_filter():
    """invert + hue-rotate(180°) keeps the hue: check that no family colour is grey, which would lose it."""
    for colour in style.PALETTE.values():
        assert colorsys.rgb_to_hls(*to_rgb(colour))[2] > 0.4


def test_order_is_that_of_the_legend():
    assert style.order(["hybrid_4", "deltanet", "transformer", "hybrid_1", "lstm_1"]) == [
        "transformer", "lstm_1", "deltanet", "hybrid_1", "hybrid_4"]  # fmt: skip


def test_an_unknown_arm_is_called_by_its_own_name():
    assert style.look("something_else").label == "something else"


@pytest.mark.parametrize(
    ("change", "says"), [({"alt": "A plot."}, "shorter than 40"), ({"name": "fig a/b"}, "letters, digits")]
)
def test_a_figure_without_description_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        show(**{"name": "fig-a", "figure": Figure(), "data": pd.DataFrame(), "alt": "x" * 40} | change)
