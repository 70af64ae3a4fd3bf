"""The ledger's data model and its reader. Unknown keys raise; a claim that names no decider raises."""

import functools
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Claim", "Design", "Document", "Ledger", "Step", "load"]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Document(Strict):
    """One founding document."""

    title: str
    about: str = Field(description="what it is and where it comes from, in a sentence")


class Design(Strict):
    """What the tables must hold before the claim can be judged."""

    study: str = Field("", description="name in studies/; empty: no run decides this claim")
    tables: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    tiers: tuple[Literal["laptop", "gpu"], ...] = ("laptop", "gpu")
    seeds: int = Field(0, ge=0, description="paired seeds a cell, at least")


class Step(Strict):
    """One question: a decider by name and its parameters."""

    by: str
    name: str = Field("", description="what this part asks, where a claim has several")
    given: dict[str, Any] = Field(default_factory=dict, alias="with")


class Claim(Strict):
    """One claim on trial. All texts are this project's own words."""

    id: str = Field(pattern=r"^[0-4]\.[1-9][0-9]?$")
    claim: str
    metric: str
    rule: str = Field(description="the decision rule in words, with its margin")
    scope: str = Field("", description="what the claim was about, and how ours differs")
    design: Design = Design()
    decide: tuple[Step, ...] = ()
    combine: Literal["all", "any"] = "all"
    ill_posed: str = Field("", description="the flaw that makes it meaningless, by name in findings.documents")
    flaws: tuple[str, ...] = Field((), description="further slips of the document about this claim, by name")
    link: str = Field(description="chapter, or chapter#figure")

    @model_validator(mode="after")
    def _decidable(self) -> "Claim":
        if not self.decide and not self.ill_posed:
            raise ValueError(f"claim {self.id} has neither a decider nor a flaw that makes it ill-posed")
        return self

    @property
    def document(self) -> int:
        return int(self.id.partition(".")[0])

    @property
    def empirical(self) -> bool:
        """True where the verdict needs measured tables."""
        return not self.ill_posed and any(step.by not in ARITHMETIC for step in self.decide)


class Contradiction(Strict):
    """A question that the documents answer differently."""

    question: str
    claims: tuple[str, ...]
    answer: str = Field(description="what would settle it, in words; the verdicts of the claims settle it")


class Ledger(Strict):
    """All claims, with the documents that make them."""

    shared_rules: tuple[str, ...]
    documents: dict[int, Document]
    claims: tuple[Claim, ...]
    contradictions: tuple[Contradiction, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "Ledger":
        ids = [claim.id for claim in self.claims]
        if len(ids) != len(set(ids)):
            raise ValueError("a claim id stands twice in the ledger")
        unknown = {i for c in self.contradictions for i in c.claims} - set(ids)
        if unknown:
            raise ValueError(f"contradictions name unknown claims: {sorted(unknown)}")
        return self

    def claim(self, id: str) -> Claim:
        return next(claim for claim in self.claims if claim.id == id)


ARITHMETIC = ("by_arithmetic", "not_covered")
"""Deciders that use no measured table: their verdicts hold at every tier."""


@functools.lru_cache
def load() -> Ledger:
    """Read and check the ledger that comes with the package; raises pydantic.ValidationError naming the claim."""
    text = resources.files("seqmix_study.findings").joinpath("ledger.yaml").read_text(encoding="utf-8")
    return Ledger.model_validate(yaml.safe_load(text))
