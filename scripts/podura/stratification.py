"""Dealing whole groups to parts so that every part resembles the whole.

Sought is a dealing in which each part has its fraction of the groups, of the images, and of each
species' boxes and groups, and in which no species is absent from a part as long as that can be had. The
principle is that of iterative stratification (Sechidis et al. 2011, ECML PKDD, LNCS 6913:145): groups
with much of what is rare first, each to the part that lacks it most; moving and swapping groups then
improves on it. Up to eight groups over four parts all ways are tried, so the result is the best there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_EXHAUSTIVE_WAYS = 70_000
# Starts are spent where they are cheap, and more of them where a species is still absent from a part.
_START_GROUPS = 2_000
_MOST_STARTS = 40
_MOST_STARTS_ABSENT = 200
_FEW_GROUPS = 100
_PASSES = 30
_SWAP_PARTNERS = 200
# With many groups the greedy start is near perfect already, and each pass is slow.
_MANY_GROUPS = 2_000
_ABSENT = 1_000.0
_EMPTY_PART = 1e9
_GROUPS_COLUMN = 0


@dataclass(frozen=True)
class _Problem:
    """Cost of an assignment: a sum over parts, each a function of the part's totals.

    ``amounts``: groups × features, each feature summing to 1 over the groups.
    """

    amounts: Floats
    weights: Floats
    shares: Floats
    absent: Floats
    species_columns: slice

    @classmethod
    def of(cls, boxes: Floats, n_images: Integers, shares: Floats, absent: Sequence[float]) -> _Problem:
        """``boxes``: groups × species, each species with at least one box."""
        n_groups, n_species = boxes.shape
        blocks = [
            np.ones((n_groups, 1)),
            n_images[:, None].astype(np.float64),
            boxes,
            (boxes > 0).astype(np.float64),
        ]
        amounts = np.hstack(blocks)
        # Groups, images, boxes by species and groups by species have the same say.
        weights = np.concatenate([np.full(b.shape[1], 1.0 / max(b.shape[1], 1)) for b in blocks])
        return cls(
            amounts / amounts.sum(axis=0),
            weights,
            shares,
            _ABSENT * np.asarray(absent),
            slice(2, 2 + n_species),
        )

    def cost(self, totals: Floats, part: int | Integers) -> Floats:
        """Cost of ``part`` for totals of shape (…, features): chi-squared distance and absences."""
        share = np.asarray(self.shares[part])
        # Sums of floats that should cancel leave dust behind; a real amount is far larger.
        zero = totals < 1e-9
        distance = ((totals - share[..., None]) ** 2 @ self.weights) / share
        return (
            distance
            + self.absent[part] * zero[..., self.species_columns].sum(axis=-1)
            + _EMPTY_PART * zero[..., _GROUPS_COLUMN]
        )

    def totals(self, assigned: Integers) -> Floats:
        """Parts × features of an assignment; groups at −1 belong to no part yet."""
        totals = np.zeros((len(self.shares), self.amounts.shape[1]))
        chosen = assigned >= 0
        np.add.at(totals, assigned[chosen], self.amounts[chosen])
        return totals

    def whole_cost(self, assigned: Integers) -> float:
        return float(self.cost(self.totals(assigned), np.arange(len(self.shares))).sum())


def stratify(
    boxes: Floats,
    n_images: Integers,
    fixed: Integers,
    shares: Floats,
    absence_costs: Sequence[float],
    rng: np.random.Generator,
) -> Integers:
    """The part of each group, as an index into ``shares``; every part gets a group if there are enough.

    ``boxes``: boxes of each group × species (each species has some); ``n_images``: images of each
    group; ``fixed``: the part of groups that are not to be dealt, −1 for the others; ``shares``: the
    fraction of each part, none of them 0; ``absence_costs``: about 1 for each part, the larger the
    sooner the part gets a species that cannot be in all.
    """
    problem = _Problem.of(boxes, n_images, shares, absence_costs)
    free = np.flatnonzero(fixed < 0)
    n_parts = len(problem.shares)
    if n_parts ** len(free) <= _EXHAUSTIVE_WAYS:
        return _best_of_all(problem, fixed, rng.permutation(free))
    passes = _PASSES if len(free) <= _MANY_GROUPS else 2
    starts = min(_MOST_STARTS, max(1, _START_GROUPS // len(free)))
    most = _MOST_STARTS_ABSENT if len(free) <= _FEW_GROUPS else starts
    best, best_cost = fixed, np.inf
    for start in range(most):
        if start >= starts and best_cost < _ABSENT:
            break
        assigned = _greedy(problem, fixed, free, rng)
        _improve(problem, assigned, free, rng, passes)
        cost = problem.whole_cost(assigned)
        if cost < best_cost - 1e-12:
            best, best_cost = assigned, cost
    return best


def _best_of_all(problem: _Problem, fixed: Integers, free: Integers) -> Integers:
    if not len(free):
        return fixed
    n_parts = len(problem.shares)
    ways = np.indices((n_parts,) * len(free)).reshape(len(free), -1).T
    start = problem.totals(fixed)
    cost = np.zeros(len(ways))
    for part in range(n_parts):
        cost += problem.cost(start[part] + (ways == part) @ problem.amounts[free], part)
    assigned = fixed.copy()
    assigned[free] = ways[int(np.argmin(cost))]
    return assigned


def _greedy(problem: _Problem, fixed: Integers, free: Integers, rng: np.random.Generator) -> Integers:
    """Groups that hold much of what is rare first, each to the part where it lowers the cost most."""
    assigned = fixed.copy()
    totals = problem.totals(assigned)
    parts = np.arange(len(problem.shares))
    current = problem.cost(totals, parts)
    weight = problem.amounts[free] @ problem.weights
    for group in free[np.argsort(-weight * rng.uniform(0.7, 1.3, len(free)), kind="stable")]:
        after = problem.cost(totals + problem.amounts[group], parts)
        part = int(np.argmin(after - current))
        assigned[group] = part
        totals[part] += problem.amounts[group]
        current[part] = after[part]
    return assigned


def _improve(
    problem: _Problem, assigned: Integers, free: Integers, rng: np.random.Generator, passes: int
) -> None:
    """Move single groups and swap pairs, in place, as long as that lowers the cost."""
    for _ in range(passes):
        # Anew in each pass, so that rounding errors do not add up.
        totals = problem.totals(assigned)
        improved = False
        for group in rng.permutation(free):
            partners = free
            if len(free) > _SWAP_PARTNERS:
                partners = free[rng.integers(len(free), size=_SWAP_PARTNERS)]
            improved |= _best_step(problem, assigned, totals, group, partners)
        if not improved:
            return


def _best_step(problem: _Problem, assigned: Integers, totals: Floats, group: int, partners: Integers) -> bool:
    """Take the best of: ``group`` to another part, or swapped with a partner. False if none helps."""
    here = assigned[group]
    parts = np.arange(len(problem.shares))
    current = problem.cost(totals, parts)
    moving = problem.amounts[group]
    without = totals[here] - moving

    moved = problem.cost(without, here) + problem.cost(totals + moving, parts)
    gain_move = moved - current[here] - current
    gain_move[here] = 0.0
    to = int(np.argmin(gain_move))

    partners = partners[assigned[partners] != here]
    there = assigned[partners]
    coming = problem.amounts[partners]
    swapped = problem.cost(without + coming, here)
    swapped = swapped + problem.cost(totals[there] + moving - coming, there)
    gain_swap = swapped - current[here] - current[there]
    best_swap = float(gain_swap.min()) if len(partners) else 0.0

    if min(gain_move[to], best_swap) > -1e-9:
        return False
    if gain_move[to] <= best_swap:
        assigned[group] = to
        totals[here] -= moving
        totals[to] += moving
    else:
        partner = partners[int(np.argmin(gain_swap))]
        other = assigned[partner]
        change = problem.amounts[partner] - moving
        totals[here] += change
        totals[other] -= change
        assigned[group], assigned[partner] = other, here
    return True
