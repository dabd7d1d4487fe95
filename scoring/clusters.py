"""Groups of customers that are alike, found without rules, to be held beside the segments made by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from scoring.features import FeatureTable, Floats

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trait:
    """A feature that clusters are made of, and what to call its low and high end.

    Where the ends speak of one and several, `fewer` and `more` are said of a cluster of which that is not true: in a
    shop of regulars the low end is far from one.
    """

    feature: str
    log: bool
    low: str
    high: str
    fewer: str = ""
    more: str = ""

    def name(self, center: float, typical: float) -> str:
        """Return what to call an end, by the side of the average it is on and the value that is typical of it."""
        if center > 0:
            return self.more if self.more and typical < SEVERAL else self.high
        return self.fewer if self.fewer and typical >= SEVERAL else self.low


TRAITS: tuple[Trait, ...] = (
    Trait("recency_days", True, "ordered lately", "last order long ago"),
    Trait("order_count", True, "one order", "several orders", "fewer orders", "more orders"),
    Trait("monetary_mean", True, "small orders", "large orders"),
    Trait("items_per_order", True, "one item per order", "many items per order", "fewer items", "more items"),
    Trait("freight_share", False, "low freight", "high freight"),
    Trait("last_installments", True, "pays at once", "pays in instalments"),
    Trait("mean_delivery_days", True, "quick delivery", "slow delivery"),
    Trait("late_share", False, "delivered in time", "delivered late"),
    Trait("mean_review_score", False, "poor reviews", "good reviews"),
)
FEATURES: tuple[str, ...] = tuple(trait.feature for trait in TRAITS)

COUNTS = range(2, 11)
FIT_ROWS = 50_000
SILHOUETTE_ROWS = 4_000
BOOTSTRAP_ROWS = 10_000
BOOTSTRAPS = 5
MIN_STABILITY = 0.80
MAP_ROWS = 3_000
CLIP = 3.0  # standard deviations: a villa is not to get a cluster of its own
SEVERAL = 1.5  # from here on a number is not one any more
TELLING = 0.5  # standard deviations from the average from which a trait is worth a word

RULE = (
    f"Of the numbers of clusters whose stability (mean adjusted Rand index of {BOOTSTRAPS} refits on bootstrap samples "
    f"with the first fit) is at least {MIN_STABILITY:g}, the one with the highest silhouette; when none is that "
    "stable, the most stable. Equal to two digits: the smaller number."
)


@dataclass(frozen=True)
class Selection:
    """The figures of one number of clusters."""

    count: int
    silhouette: float
    inertia: float
    stability: float


@dataclass(frozen=True)
class Profile:
    """One feature of one cluster."""

    cluster: int
    feature: str
    difference: float


@dataclass(frozen=True)
class Clustering:
    """Fitted clusters, numbered from 1 by the size they have in the sample."""

    medians: Floats
    means: Floats
    scales: Floats
    centers: Floats
    axes: Floats
    profiles: tuple[str, ...]
    selection: tuple[Selection, ...]
    chosen: int

    def place(self, table: FeatureTable) -> tuple[Labels, Floats]:
        """Return the cluster of each row, and its two coordinates on the map."""
        scaled = _scale(table, self.medians, self.means, self.scales)
        # One column at a time: the distances of millions of customers to ten centres fit, their differences do not.
        distance = np.column_stack([((scaled - center) ** 2).sum(axis=1) for center in self.centers])
        return distance.argmin(axis=1).astype(np.int64) + 1, scaled @ self.axes.T

    def describe(self, table: FeatureTable, labels: Labels) -> list[Profile]:
        """Return what sets each cluster apart, on a sample."""
        scaled = _scale(table, self.medians, self.means, self.scales)
        result = []
        for cluster in range(1, self.chosen + 1):
            member = labels == cluster
            for position, name in enumerate(FEATURES):
                difference = float(scaled[member, position].mean()) if member.any() else float("nan")
                result.append(Profile(cluster, name, difference))
        return result


def fit(sample: FeatureTable, random_state: int) -> Clustering | None:
    """Choose the number of clusters and fit them.

    Parameters
    ----------
    sample : FeatureTable
        Customers with the columns :data:`FEATURES`, at most :data:`FIT_ROWS` needed.
    random_state : int

    Returns
    -------
    Clustering or None
        None when there are too few different customers to tell two groups apart.
    """
    # One thread, as in fitting: the same input, the same clusters.
    with threadpool_limits(limits=1):
        return _fit(sample, random_state)


def _fit(sample: FeatureTable, random_state: int) -> Clustering | None:
    if sample.rows < 50:
        return None
    raw = _transform(sample)
    known = ~np.isnan(raw)
    medians = np.array([np.median(raw[known[:, i], i]) if known[:, i].any() else 0.0 for i in range(raw.shape[1])])
    filled = np.where(known, raw, medians)
    means, scales = filled.mean(axis=0), filled.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    scaled = _scale(sample, medians, means, scales)
    if len(np.unique(scaled, axis=0)) < max(COUNTS) * 2:
        return None
    generator = np.random.default_rng(random_state)
    rated = generator.permutation(len(scaled))[:SILHOUETTE_ROWS]
    draws = [generator.integers(0, len(scaled), min(BOOTSTRAP_ROWS, len(scaled))) for _ in range(BOOTSTRAPS)]
    fits, selection = {}, []
    for count in COUNTS:
        first = KMeans(count, n_init=4, random_state=random_state).fit(scaled)
        agreement = [
            adjusted_rand_score(
                first.labels_[draw],
                KMeans(count, n_init=2, random_state=random_state + 1 + number).fit(scaled[draw]).labels_,
            )
            for number, draw in enumerate(draws)
        ]
        labels = first.labels_[rated]
        silhouette = float(silhouette_score(scaled[rated], labels)) if len(np.unique(labels)) > 1 else -1.0
        fits[count] = first
        selection.append(Selection(count, silhouette, float(first.inertia_), float(np.mean(agreement))))
    chosen = choose(selection)
    model = fits[chosen]
    order = np.argsort(-np.bincount(model.labels_, minlength=chosen), kind="stable")
    centers = model.cluster_centers_[order]
    typical = np.expm1(centers * scales + means)
    profiles = name_profiles(centers, typical)
    return Clustering(medians, means, scales, centers, _axes(scaled), profiles, tuple(selection), chosen)


def choose(selection: Sequence[Selection]) -> int:
    """Apply :data:`RULE`."""
    stable = [one for one in selection if one.stability >= MIN_STABILITY]
    if stable:
        return min(stable, key=lambda one: (-round(one.silhouette, 2), one.count)).count
    return min(selection, key=lambda one: (-round(one.stability, 2), one.count)).count


def name_profiles(centers: Floats, typical: Floats) -> tuple[str, ...]:
    """Name each cluster by what sets it furthest apart, with as many words as it takes to tell all of them apart.

    Parameters
    ----------
    centers : array, shape (clusters, traits)
        In standard deviations from the average customer.
    typical : array, shape (clusters, traits)
        The same as numbers of orders and items; of other traits without meaning.

    Returns
    -------
    tuple of str
    """
    words = []
    for center, value in zip(centers, typical, strict=True):
        order = np.argsort(-np.abs(center), kind="stable")
        told = [TRAITS[i].name(center[i], value[i]) for i in order if abs(center[i]) >= TELLING] or [
            "like the average customer"
        ]
        words.append(told)
    length = 2
    while True:
        names = [", ".join(told[:length]) for told in words]
        if len(set(names)) == len(names) or length >= len(TRAITS):
            break
        length += 1
    repeated = {name for name in names if names.count(name) > 1}
    return tuple(f"{name} ({number})" if name in repeated else name for number, name in enumerate(names, start=1))


def _transform(table: FeatureTable) -> Floats:
    columns = [
        np.log1p(np.maximum(table.numbers[trait.feature], 0.0)) if trait.log else table.numbers[trait.feature]
        for trait in TRAITS
    ]
    return np.column_stack(columns)


def _scale(table: FeatureTable, medians: Floats, means: Floats, scales: Floats) -> Floats:
    raw = _transform(table)
    filled = np.where(np.isnan(raw), medians, raw)
    result: Floats = np.clip((filled - means) / scales, -CLIP, CLIP)
    return result


def _axes(scaled: Floats) -> Floats:
    """Return the two principal axes, their signs fixed by the largest weight."""
    _, _, axes = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    two = axes[:2]
    signs = np.sign(two[np.arange(2), np.abs(two).argmax(axis=1)])
    result: Floats = two * signs[:, None]
    return result
