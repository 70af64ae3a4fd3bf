"""The data model of a questions file: what is asked of a table, and what a claim makes of the answers.

The engine knows no architecture: names of arms, corpora and columns stand in the file only. Unknown keys raise.
The keys are explained, with an example, in ``book/findings.md``.
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

# Column -> a value, a list of values, {min: , max: }, {not: value or list}, or "@largest" or "@smallest".
Where = dict[str, Any]

Says = Literal["above", "below", "not_above", "not_below", "same", "different"]
Kind = Literal["architecture", "time", "parallel", "memory", "shape", "other"]

# The reading that says no where this one says yes, and yes where it says no.
COMPLEMENT: dict[Says, Says] = {"above": "not_above", "below": "not_below", "same": "different"}
COMPLEMENT |= {other: says for says, other in COMPLEMENT.items()}

# The reading of the opposite claim: never yes where this one is.
OPPOSITE: dict[Says, Says] = COMPLEMENT | {"above": "below", "below": "above"}


class QuestionsError(ValueError):
    """The questions file is wrong; the text names the entry and says what is known."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Side(Strict):
    """One side of a comparison: the rows ``where`` holds; of several arms, the one with the lowest ``best_by``."""

    where: Where = {}
    best_by: str = Field("", description="column by which one arm (or rate) is chosen at each size, e.g. loss_valid")
    best_of: str = Field("arm", description="column whose values are the candidates")
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """``first: some_arm`` is short for ``first: {where: {arm: some_arm}}``."""
        return {"where": {"arm": value}} if isinstance(value, (str, list)) else value


class Measure(Strict):
    """One number per run (and evaluation block) from a second table, joined by the run's id."""

    table: str
    column: str
    where: Where = {}
    take: Literal["last", "first", "min", "max", "mean", "reach"] = "mean"
    by: str = Field("", description="column that orders the rows: last, first, reach")
    at: str = Field("", description="column that the ranges of `between` speak about")
    # mean over [a, b); two ranges: first minus second; bounds up to 1 are shares of `length`
    between: tuple[tuple[float, float], ...] = ()
    weight: str = Field("", description="column of weights for means, e.g. tokens in a bin")
    keep: str = Field("", description="a column that stays a second unit beside the seed, e.g. the evaluation block")
    level: float | Literal["common"] = Field(0.0, description="reach: this value of `of`, or the one that all reach")
    of: str = Field("", description="reach: the column that has to fall to the level")


class Question(Strict):
    """One effect and how it is read. ``first`` minus (or over) ``second``, or ``first`` alone."""

    asks: str
    kind: Kind = "architecture"
    estimator: str
    table: str = "runs"
    where: Where = {}
    roles: tuple[str, ...] = Field(("evidence", "control"), description="values of the column `role` that count")
    value: str | Measure = "loss"
    better: Literal["lower", "higher"] = "lower"
    bounds: tuple[float, float] | None = Field(None, description="possible range of the value")
    first: Side = Side()
    second: Side | None = None
    x: str = Field("", description="column along which a slope, shape, crossing or exponent is taken")
    log: bool = Field(True, description="take log10 of x")
    per: tuple[str, ...] = Field(("corpus",), description="one row of findings for each value of these columns")
    match: tuple[str, ...] = Field(("size",), description="columns in which both sides must agree")
    unit: str = "nats"
    margin: float = Field(0.02, ge=0, description="the smallest effect that matters; for ratios: 0.1 is 10 %")
    around: float = Field(0.0, description="the value that the effect is compared with (ratios: 1)")
    says: Says = "above"
    detect: float = Field(0.0, ge=0, description="effect for which the power is given; 0: the margin")
    family: Literal["", "holm", "fdr"] = Field("", description="correction over the rows of this question")
    controls: tuple[Where, ...] = Field((), description="rows that must be there in the same condition")
    needs: dict[str, str] = Field({}, description="question that must be answered yes there -> what it means if not")
    again: Side | None = Field(None, description="the second side measured twice: shows the noise of the machine")
    options: dict[str, Any] = Field({}, description="options of the estimator")

    def reading(self, says: str) -> str:
        """Return a reading in words, "above 0.02 nats"."""
        ratio = self.unit == "times"
        up = self.around * (1 + self.margin) if ratio else self.around + self.margin
        down = self.around / (1 + self.margin) if ratio else self.around - self.margin
        words = {"above": "above {up:.4g}", "below": "below {down:.4g}", "not_above": "at most {up:.4g}",
                 "not_below": "at least {down:.4g}", "same": "between {down:.4g} and {up:.4g}",
                 "different": "below {down:.4g} or above {up:.4g}"}  # fmt: skip
        return f"{words[says].format(up=up, down=down)} {self.unit}"


class Part(Strict):
    """A claim's reading of one question."""

    question: str
    says: Says | None = None
    only: Where = Field({}, description="conditions that the claim is about")
    name: str = ""


class Claim(Strict):
    """One claim. Exactly one of: parts, opposite_of, ill_posed, not_testable, not_tested; texts in own words."""

    id: str
    claim: str
    all: tuple[Part, ...] = Field((), description="parts that must all hold")
    any: tuple[Part, ...] = Field((), description="parts of which one must hold")
    somewhere: bool = Field(False, description="one condition is enough: the claim says that there is one")
    complete: bool = Field(False, description="it speaks of every condition: one that cannot be judged leaves it open")
    opposite_of: str = Field("", description="claim whose readings are taken from the other side")
    ill_posed: str = Field("", description="why, or the name of the check of the document's own arithmetic")
    not_testable: str = ""
    not_tested: str = Field("", description="what it would take")
    by_arithmetic: str = Field("", description="name of a check that decides alone: refuted where it finds a slip")
    corpora: int | None = Field(None, description="corpora that must agree; default: the rules'")
    metric: str = ""
    rule: str = ""
    scope: str = ""
    link: str = ""
    flaws: tuple[str, ...] = ()
    document: int | None = None
    cites: tuple[str, ...] = Field((), description="keys of the bibliography: where the claim was made")

    @model_validator(mode="after")
    def _one_way(self) -> "Claim":
        ways = ("ill_posed", "not_testable", "not_tested", "opposite_of", "by_arithmetic")
        said = [name for name in ways if getattr(self, name)]
        if (self.all and self.any) or (len(said) > 1) or not (said or self.all or self.any):
            raise ValueError(f"claim {self.id} needs one of: all, any, {', '.join(ways)}")
        return self

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.all or self.any


class Derived(Strict):
    """A column made from others, by exactly one of these ways."""

    count: tuple[str, str] | None = Field(None, description="text to count, and the column to count it in")
    ratio: tuple[str, str] | None = None
    sum: dict[str, float] | None = Field(None, description="column -> factor")
    log: str = Field("", description="natural logarithm of this column")
    # the first column where the second is at least the level, else infinity (never)
    until: tuple[str, str, float] | None = None
    map: dict[str, dict[str, list]] | None = Field(None, description="column -> new value -> old values; else empty")


class Rules(Strict):
    """What holds for every question of the file."""

    level: float = Field(0.95, gt=0.5, lt=1)
    seeds: int = Field(2, ge=2, description="distinct seeds a side, at least")
    power: float = Field(0.5, ge=0, le=1, description="below this power an open row cannot be decided here")
    tuning: Literal["required", "ignored"] = "ignored"
    corpora: int = Field(2, ge=1, description="corpora with an answer that a claim about architectures needs")
    same_size: float = Field(1.07, ge=1, description="arms whose sizes differ by less than this factor are one size")
    # most by which a published check allows reduced precision to shift a loss: sides that differ in
    # precision are compared all the same, and each reduced one widens the interval by it; 0: they are not compared
    precision_shift: float = Field(0.0, ge=0)
    false_positives: float = Field(0.1, description="largest rate at which a rule about shapes may be wrong")
    not_evidence: Where = Field({}, description="rows that are never evidence, e.g. a code check")


class Contradiction(Strict):
    """A question that the sources of the claims answer differently."""

    question: str
    claims: tuple[str, ...]
    answer: str = Field(description="what would settle it, in words; the verdicts of the claims settle it")


class Questions(Strict):
    """A questions file."""

    title: str = ""
    tables: dict[str, str] = Field({"runs": "runs.csv"}, description="name -> file")
    # name used here -> column of the tables (the first that is filled in)
    columns: dict[str, str | list[str]] = {}
    derived: dict[str, Derived] = Field({}, description="new column -> how it is made")
    names: dict[str, str] = Field({}, description="values of corpora and arms, as readers know them")
    rules: Rules = Rules()
    questions: dict[str, Question]
    claims: tuple[Claim, ...] = ()
    documents: dict[int, str] = Field({}, description="where claims come from: number -> title")
    contradictions: tuple[Contradiction, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Questions":
        ids = [claim.id for claim in self.claims]
        if doubled := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"claims with the same id: {', '.join(doubled)}")
        for claim in self.claims:
            if wrong := {part.question for part in claim.parts} - set(self.questions):
                raise ValueError(f"claim {claim.id} asks unknown questions: {', '.join(sorted(wrong))}")
            if claim.opposite_of and (claim.opposite_of not in ids or self.claim(claim.opposite_of).opposite_of):
                raise ValueError(f"claim {claim.id} is the opposite of {claim.opposite_of}, which has no parts itself")
        for name, question in self.questions.items():
            if wrong := set(question.needs) - set(self.questions):
                raise ValueError(f"question {name} needs unknown questions: {', '.join(sorted(wrong))}")
        return self

    def claim(self, id: str) -> Claim:
        return next(claim for claim in self.claims if claim.id == id)

    def source(self, claim: Claim) -> Claim:
        """Return the claim whose parts are read: an opposite claim has those of the other."""
        return self.claim(claim.opposite_of) if claim.opposite_of else claim

    def readable(self, value: Any) -> str:
        """Return the name that readers know, or the value itself (1000000.0 as "1M")."""
        return self.names.get(str(value), short(value))


def short(value: Any) -> str:
    """Return 12345 as "12k" and 2.1e6 as "2.1M"; anything that is no number as it is."""
    if isinstance(value, str):
        return value
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.4g}"


def load(*files: Path) -> Questions:
    """Read questions files; the keys of later ones (say, a file of claims) are added to the first.

    Raises QuestionsError naming the file and the entry.
    """
    data: dict[str, Any] = {}
    for file in files:
        try:
            found = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise QuestionsError(f"{file}: {error}") from error
        if not isinstance(found, dict) or set(found) & set(data):
            doubled = sorted(set(found) & set(data)) if isinstance(found, dict) else "no mapping"
            raise QuestionsError(f"{file}: a mapping of new keys is needed (found: {doubled})")
        data |= found
    try:
        return Questions.model_validate(data)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise QuestionsError(f"{', '.join(map(str, files))}:\n" + "\n".join(lines)) from error
