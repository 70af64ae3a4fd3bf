"""The negative control: each document is one of Z known Markov chains, and the best predictor soon knows which.

P_z = (1 - tilt) shared + tilt own, Dirichlet rows; every model's loss must level off after a few dozen tokens, by the
data's own fault. A plateau statistic that does not find that is broken.
"""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from seqmix.data.base import Evaluation, generator, in_blocks, sha256_of, shifted
from seqmix.data.draw import Alias, entropy
from seqmix.data.synthetic import SyntheticSource

__all__ = ["MARKOV", "MarkovMixture", "MarkovSource"]

VERSION = 1


@dataclass(frozen=True)
class MarkovMixture:
    """``chains`` Markov chains over ``states`` symbols, uniform prior; larger ``tilt``: easier to tell apart."""

    chains: int = 16
    states: int = 32
    concentration: float = 0.3
    tilt: float = 0.5
    table_seed: int = 0

    @cached_property
    def fingerprint(self) -> str:
        return sha256_of(markov=VERSION, **asdict(self))

    @cached_property
    def transitions(self) -> np.ndarray:
        """P[z, i, j], every entry positive."""
        rng = generator("table", self.table_seed, 3)
        rows = np.full(self.states, self.concentration)
        shared = rng.dirichlet(rows, self.states)
        own = rng.dirichlet(rows, (self.chains, self.states))
        p = (1 - self.tilt) * shared + self.tilt * own
        return (p + 1e-3 / self.states) / (1 + 1e-3)

    @cached_property
    def stationary(self) -> np.ndarray:
        """pi[z, i], the distribution of the first token."""
        system = np.swapaxes(self.transitions, 1, 2) - np.eye(self.states)
        system[:, -1] = 1.0
        right = np.zeros((self.chains, self.states, 1))
        right[:, -1] = 1.0
        pi = np.maximum(np.linalg.solve(system, right)[..., 0], 0.0)
        return pi / pi.sum(1, keepdims=True)

    @cached_property
    def _first(self) -> Alias:
        return Alias(self.stationary)

    @cached_property
    def _next(self) -> Alias:
        return Alias(self.transitions)

    def sample(self, n: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """Return documents as tokens [n, length]."""
        chain = rng.integers(0, self.chains, n)
        uniform = rng.random((length, n))
        tokens = np.empty((length, n), np.int64)
        tokens[0] = self._first(uniform[0], chain)
        for t in range(1, length):
            tokens[t] = self._next(uniform[t], chain * self.states + tokens[t - 1])
        return tokens.T

    def read(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return exact -log p of each token and the entropy of that prediction: two arrays [n, length], nats."""
        n, length = tokens.shape
        posterior = np.full((n, self.chains), 1 / self.chains)
        nll, spread = np.empty((n, length)), np.empty((n, length))
        rows = np.arange(n)
        for t in range(length):
            if t == 0:
                likely = np.broadcast_to(self.stationary, (n, self.chains, self.states))
            else:
                likely = self.transitions[:, tokens[:, t - 1]].swapaxes(0, 1)
            p = np.einsum("nz,nzv->nv", posterior, likely)
            nll[:, t], spread[:, t] = -np.log(p[rows, tokens[:, t]]), entropy(p)
            posterior = posterior * likely[rows, :, tokens[:, t]]
            posterior /= posterior.sum(1, keepdims=True)
        return nll, spread


MARKOV = {"markov": MarkovMixture(), "markov-slow": MarkovMixture(tilt=0.25)}
"""Settings by name: told apart after about 26 tokens, and after about twice as many."""


@dataclass
class MarkovSource(SyntheticSource):
    """``references['bayes']``: mean predictive entropy of the oracle over 4096 documents."""

    mixture: MarkovMixture = MARKOV["markov"]

    @classmethod
    def open(cls, name: str, seq_len: int, train_tokens: int = 0) -> "MarkovSource":
        mixture = MARKOV[name]
        return cls(name, mixture.fingerprint, mixture.states, seq_len, train_tokens=train_tokens, mixture=mixture)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.mixture.sample(n, self.seq_len + 1, rng)

    def evaluation(self, n: int, split: str = "valid") -> Evaluation:
        return Evaluation(*in_blocks(n, split, self._read))

    def _read(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        tokens = self.sample(n, rng)
        nll, _ = self.mixture.read(tokens)
        inputs, targets = shifted(tokens)
        return inputs, targets, nll[:, 1:], np.zeros_like(targets), np.zeros_like(targets)

    def entropy_by_index(self, n: int = 4096) -> np.ndarray:
        """Return the oracle's expected loss at each scored position by averaging predictive entropies: [T], nats."""
        tokens = self.sample(n, generator("table", self.mixture.table_seed, 4))
        return self.mixture.read(tokens)[1][:, 1:].mean(0)

    def measure_references(self) -> dict[str, float]:
        return {**self.ngrams(), "bayes": float(self.entropy_by_index().mean())}
