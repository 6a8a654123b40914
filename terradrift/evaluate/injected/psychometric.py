"""The size from which on a method finds half, or nine in ten, of what is planted (pure).

The chance of detection is a logistic function of the logarithm of the amplitude, fitted by
maximum likelihood with a weak prior on the slope, as in signal detection; intervals and
gains by drawing whole frames anew, since objects of one frame share its weather.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from terradrift.evaluate.measures import Interval

_PRIOR = 0.02
"""Weight of (log slope - log 3)^2 beside the mean log likelihood per trial: without it, data
that a step separates have no steepest slope."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Chance of detection = logistic(slope * (log amplitude - log a50))."""

    a50: float
    """Amplitude that is found half of the time."""
    slope: float

    @property
    def a90(self) -> float:
        """Amplitude that is found nine times in ten."""
        return float(self.a50 * np.exp(special.logit(0.9) / self.slope))

    def chance(self, amplitude: NDArray[np.floating]) -> NDArray[np.float64]:
        """Chance of detection, 0..1."""
        found: NDArray[np.float64] = special.expit(
            self.slope * (np.log(amplitude) - np.log(self.a50))
        )
        return found


def fit(amplitude: NDArray[np.floating], detected: NDArray[np.bool_]) -> Curve:
    """Fit one curve to `n` trials.

    Where nothing, or everything, is detected there is no such amplitude: it is infinite, or
    0.

    Raises:
        ValueError: no trials, or amplitudes not above 0.
    """
    if len(amplitude) == 0 or not np.all(amplitude > 0):
        raise ValueError("expected trials with amplitudes above 0")
    if not detected.any():
        return Curve(np.inf, 3.0)
    if detected.all():
        return Curve(0.0, 3.0)
    x, sign = np.log(amplitude), np.where(detected, 1.0, -1.0)

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope = np.exp(at[1])
        margin = sign * slope * (x - at[0])
        away = at[1] - np.log(3.0)
        value = np.logaddexp(0, -margin).mean() + _PRIOR * away**2
        pull = -special.expit(-margin) * sign * slope
        steps = [-pull.mean(), (pull * (x - at[0])).mean() + 2 * _PRIOR * away]
        return float(value), np.array(steps)

    start = np.array([np.median(x), np.log(3.0)])
    bounds = [(x.min() - 3.0, x.max() + 3.0), (np.log(0.3), np.log(60.0))]
    best = optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds, jac=True)
    return Curve(float(np.exp(best.x[0])), float(np.exp(best.x[1])))


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a method needs."""

    curve: Curve
    a50: Interval
    a90: Interval
    trials: int


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A method's curve, and its curves over draws of frames."""

    curve: Curve
    drawn: tuple[Curve, ...]
    trials: int

    def threshold(self) -> Threshold:
        """A50 and A90 with 95 % intervals over frames."""
        return Threshold(
            self.curve,
            _interval(self.curve.a50, [one.a50 for one in self.drawn]),
            _interval(self.curve.a90, [one.a90 for one in self.drawn]),
            self.trials,
        )

    def gain(self, other: "Fitted") -> Interval:
        """A50 of another method over its own, on the same draws; above 1 this one is better."""
        return _interval(
            _ratio(other.curve, self.curve),
            [_ratio(*both) for both in zip(other.drawn, self.drawn, strict=True)],
        )


def fitted(
    amplitude: NDArray[np.floating],
    detected: NDArray[np.bool_],
    frame: NDArray[np.int64],
    *,
    repeats: int = 300,
    seed: int = 0,
) -> Fitted:
    """Fit `n` trials of frames (n,), and as many again with frames drawn anew."""
    drawn = (
        fit(amplitude[rows], detected[rows])
        for rows in draws(frame, repeats=repeats, seed=seed)
    )
    return Fitted(fit(amplitude, detected), tuple(drawn), len(amplitude))


def _ratio(theirs: Curve, ours: Curve) -> float:
    return theirs.a50 / ours.a50 if ours.a50 > 0 and np.isfinite(ours.a50) else np.nan


def draws(
    frame: NDArray[np.int64], *, repeats: int, seed: int
) -> list[NDArray[np.int64]]:
    """Trials of frames drawn with replacement, `repeats` times."""
    members = [np.flatnonzero(frame == one) for one in np.unique(frame)]
    random = np.random.default_rng(seed)
    return [
        np.concatenate(
            [members[i] for i in random.integers(len(members), size=len(members))]
        )
        for _ in range(repeats)
    ]


def _interval(value: float, drawn: list[float]) -> Interval:
    known = np.array([one for one in drawn if not np.isnan(one)])
    if len(known) == 0:
        return Interval(value, np.nan, np.nan)
    # Nearest ranks: between infinity and a number there is no middle.
    low, high = np.quantile(known, [0.025, 0.975], method="nearest")
    return Interval(value, float(low), float(high))
