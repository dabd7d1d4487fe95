"""Which category a new customer's next purchase will be in, given that there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.evaluate import Z, wilson
from scoring.features import UNKNOWN

if TYPE_CHECKING:
    from scoring.first_purchase.reading import Moments

PRIOR = 20.0  # returns of everyone that those of one first category are mixed with
SHOWN = 5


@dataclass(frozen=True)
class Categories:
    """Shares of the next categories: of everyone, and by first category.

    Parameters
    ----------
    everyone : mapping of str to float
        The most frequent first.
    by_first : mapping of str to mapping of str to float
        Drawn towards everyone's by ``PRIOR`` returns; the few most likely ones.
    """

    everyone: Mapping[str, float]
    by_first: Mapping[str, Mapping[str, float]]

    @classmethod
    def learn(cls, moments: Moments) -> Categories:
        """Count on those who came back."""
        counts: dict[str, Counter[str]] = {}
        total: Counter[str] = Counter()
        for first, following in _pairs(moments):
            counts.setdefault(first, Counter())[following] += 1
            total[following] += 1
        returns = max(sum(total.values()), 1)
        popular = {word: count / returns for word, count in total.items()}
        by_first = {
            first: _best({word: (own[word] + PRIOR * share) / (own.total() + PRIOR) for word, share in popular.items()})
            for first, own in sorted(counts.items())
        }
        return cls(_best(popular), by_first)

    def of(self, first: str) -> Mapping[str, float]:
        """Return the shares of the likeliest next categories after a first one, the likeliest first."""
        return self.by_first.get(first, self.everyone)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        pairs = {first: list(shares.items()) for first, shares in self.by_first.items()}
        return {"everyone": list(self.everyone.items()), "by_first": pairs}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Categories:
        """Restore what :meth:`to_dict` gave."""
        by_first = {first: dict(shares) for first, shares in state["by_first"].items()}
        return cls(dict(state["everyone"]), by_first)


@dataclass(frozen=True)
class Hits:
    """How often the expected category was the one of the next purchase, beside the most popular one.

    Parameters
    ----------
    returns : int
        People who came back.
    expected, popular : int
        How often each was right.
    difference_error : float
        Standard error of the difference of both shares.
    """

    returns: int
    expected: int
    popular: int
    difference_error: float

    @property
    def is_better(self) -> bool:
        """Whether the expected category is right more often, by more than two standard errors."""
        return (self.expected - self.popular) / self.returns > 2 * self.difference_error

    def to_dict(self) -> dict[str, Any]:
        """Return shares with their intervals."""
        told: dict[str, Any] = {"returns": self.returns}
        for name, hits in (("expected_category", self.expected), ("most_popular_category", self.popular)):
            low, high = wilson(hits, self.returns)
            told[name] = {"value": round(hits / self.returns, 6), "low": round(low, 6), "high": round(high, 6)}
        gain, half = (self.expected - self.popular) / self.returns, Z * self.difference_error
        told["difference"] = {
            "value": round(gain, 6),
            "low": round(gain - half, 6),
            "high": round(gain + half, 6),
        }
        return told


def judge_categories(splits: Sequence[tuple[Moments, Moments]]) -> Hits | None:
    """Learn on the first of each pair and count hits on the second; None where nobody came back or was learned from."""
    expected, popular = [], []
    for before, after in splits:
        learned = Categories.learn(before)
        if not learned.everyone:
            continue
        favourite = next(iter(learned.everyone))
        for first, following in _pairs(after):
            expected.append(next(iter(learned.of(first))) == following)
            popular.append(favourite == following)
    if len(expected) < 2:
        return None
    difference = np.array(expected, dtype=float) - np.array(popular, dtype=float)
    error = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return Hits(len(expected), sum(expected), sum(popular), float(error))


def _pairs(moments: Moments) -> list[tuple[str, str]]:
    column = moments.features.categories["first_category"]
    back = np.flatnonzero(moments.is_back)
    found = [(column.words[column.codes[row]], str(moments.next_category[row])) for row in back]
    return [(first, following) for first, following in found if following != UNKNOWN]


def _best(shares: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:SHOWN])
