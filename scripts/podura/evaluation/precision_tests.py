"""Tests of "the precision is below the target" from counts of errors that cluster by slide.

Where detections are independent (design effect 1) the test is the exact binomial one, whose inversion is
the bound of Clopper & Pearson (1934, doi:10.1093/biomet/26.4.404). Otherwise the number of errors is
beta-binomial (Skellam 1948): the binomial with a variance that is larger by the design effect. The usual
short cut, the binomial with n / design effect, has the same variance, but counts that cluster are skewed to
the right, so that few errors are rarer than the short cut thinks; it wastes a good part of the error rate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Below this the beta-binomial cannot be told from the binomial, and its terms lose their digits.
_NEGLIGIBLE = 1e-4
_HALVINGS = 60
_LAST_DIGIT = 1e-17
_ROUNDING = 1e-9


def p_values(n: ArrayLike, errors: ArrayLike, design_effect: ArrayLike, target: float) -> Floats:
    """Probability of so few errors, or fewer, if the precision were just at the target.

    n and errors: whole numbers; design_effect: at least 1. All broadcast. 1 where nothing is accepted,
    where the design effect is infinite, and, as nothing hangs on it, where the observed precision does not
    exceed the target.
    """
    of_n, of_errors, of_effect = np.broadcast_arrays(
        np.asarray(n, np.float64), np.asarray(errors, np.float64), np.asarray(design_effect, np.float64)
    )
    rate = 1 - target
    result = np.ones(of_n.shape)
    told = (of_n > 0) & (of_errors < rate * of_n - _ROUNDING) & np.isfinite(of_effect)
    if told.any():
        result[told] = _at_most(of_errors[told], of_n[told], _correlation(of_n, of_effect)[told], rate)
    return result


def precision_lower(n: int, errors: int, design_effect: float, level: float) -> float:
    """One-sided lower bound of the precision: the target at which the p-value is ``level``.

    Clopper & Pearson's bound where the design effect is 1. 0 where nothing is right, or known.
    """
    if not n or errors >= n or not math.isfinite(design_effect):
        return 0.0
    one_n, one_errors = np.array([float(n)]), np.array([float(errors)])
    correlation = _correlation(one_n, np.array([design_effect]))
    low, high = errors / n, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(one_errors, one_n, correlation, middle)[0] > level:
            low = middle
        else:
            high = middle
    return 1 - high


def clopper_pearson_lower(right: int, n: int, confidence: float = 0.95) -> float:
    """Exact one-sided lower bound of a proportion (Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404)."""
    # Costs a quarter of a second, which jobs that only match need not pay.
    from scipy.special import betaincinv

    return float(betaincinv(right, n - right + 1, 1 - confidence)) if right else 0.0


def _correlation(n: Floats, design_effect: Floats) -> Floats:
    """Correlation of two of n alike detections at which their number varies by the design effect."""
    finite = np.where(np.isfinite(design_effect), design_effect, 1.0)
    shared = np.divide(finite - 1, n - 1, out=np.zeros(n.shape), where=n > 1)
    # At 1 all detections are one; a beta-binomial knows no more.
    return np.minimum(shared, 1 - 1e-9)


def _at_most(errors: Floats, n: Floats, correlation: Floats, rate: float) -> Floats:
    """Distribution function of the beta-binomial with this mean rate: (m,) arrays; errors below n."""
    from scipy.special import betainc, betaln, gammaln

    # The binomial; also a lower limit, so that clustering never makes a certificate easier to get.
    result: Floats = betainc(n - errors, errors + 1, 1 - rate)
    clustered = correlation * (n - 1) > _NEGLIGIBLE
    if not clustered.any():
        return result
    x, m, c = errors[clustered], n[clustered], correlation[clustered]
    size = 1 / c - 1
    a, b = rate * size, (1 - rate) * size
    last = gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1) + betaln(x + a, m - x + b) - betaln(a, b)
    # Terms from x downwards, each from the one before.
    total, term = np.ones_like(x), np.ones_like(x)
    for step in range(int(x.max())):
        j = x - step
        down = np.where(j > 0, j * (m - j + b) / ((m - j + 1) * np.where(j > 0, a + j - 1, 1.0)), 0.0)
        term = term * down
        total += term
        if np.all(term <= _LAST_DIGIT * total):
            break
    result[clustered] = np.maximum(result[clustered], np.minimum(np.exp(last) * total, 1.0))
    return result
