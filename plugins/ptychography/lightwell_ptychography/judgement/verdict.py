"""A reconstruction in sentences: whether it explains its frames, and what to look at if not."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell_ptychography.judgement.fit import Fit

__all__ = ["Verdict", "judge_fit", "mode_powers", "power_sentence", "propagator_sentence"]

_WITHIN, _FAR_OFF, _SMALL = 1.5, 4.0, 0.1
_WORSE = 2.0


class Verdict(NamedTuple):
    """How good, and why.

    grade : "good" where what is left is noise, "fair" where more is left, "bad" where the frames
    are not explained.
    """

    grade: Literal["good", "fair", "bad"]
    sentences: tuple[str, ...]


def judge_fit(fit: "Fit", propagation: Literal["far", "near"]) -> Verdict:
    """Judge what is left of the frames against what counting photons leaves.

    Good up to 1.5 times that, bad from 4 times on if the error is above 0.1, since bright frames
    show what no model has; where frames hold no counts, good up to 0.1 and bad from 0.3 on.
    """
    if not math.isfinite(fit.error):
        return Verdict("bad", ("The reconstruction holds values that are no numbers.",))
    said = f"Fourier error {fit.error:.3f}"
    if fit.floor is None:
        limits, against = (0.1, 0.3), "; the frames hold no counts, so their noise is unknown"
    else:
        limits = (_WITHIN * fit.floor, max(_FAR_OFF * fit.floor, _SMALL))
        against = f", {fit.error / max(fit.floor, 1e-30):.1f} times what counting photons leaves"
    sentences = [f"{said}{against}."]
    worst = _outliers(fit.frames)
    if worst:
        sentences.append(f"Frames far worse than the others: {worst}.")
    if fit.error <= limits[0]:
        return Verdict("good", (*sentences, "The frames are explained."))
    if fit.error < limits[1]:
        sentences.append(
            "The frames are explained in the main; more modes, refined positions, or more "
            "iterations may explain the rest."
        )
        return Verdict("fair", tuple(sentences))
    other = "near" if propagation == "far" else "far"
    sentences.append(
        f"The frames are not explained. Is it really the {propagation} field, and not the {other}? "
        "Then look at distance, energy and pixel size, at the directions and the unit of the "
        "positions, and at the mask."
    )
    return Verdict("bad", tuple(sentences))


def propagator_sentence(errors: "dict[str, float]") -> str:
    """What the Fourier errors of one data set with several propagators say.

    errors : name of the propagator → Fourier error after equal work.

    >>> print(propagator_sentence({"near field": 0.02, "far field": 0.09}))
    The near field explains the frames; with the far field the Fourier error is 4.5 times as
    large.
    """
    ordered = sorted(errors, key=lambda name: errors[name])
    best, others = ordered[0], ordered[1:]
    ratios = {name: errors[name] / max(errors[best], 1e-30) for name in others}
    if all(ratio >= _WORSE for ratio in ratios.values()):
        told = ", ".join(
            f"with the {name} the Fourier error is {ratio:.1f} times as large"
            for name, ratio in ratios.items()
        )
        return f"The {best} explains the frames; {told}."
    close = ", ".join(f"{name} {errors[name]:.3f}" for name in ordered)
    return f"The Fourier errors ({close}) do not tell the propagators apart."


def mode_powers(probe: Any) -> "NDArray[Any]":
    """Share of the power in every mode of a probe made orthogonal, the strongest first.

    probe : (mode, row, column) complex, orthogonal or not: the shares are those of the mutual
    intensity, which no mixing of modes changes.
    """
    import numpy as np

    flat = np.asarray(probe, np.complex128).reshape(len(probe), -1)
    power = np.linalg.svd(flat, compute_uv=False) ** 2
    return np.asarray(power / max(float(power.sum()), 1e-300))


def power_sentence(powers: Sequence[float]) -> str:
    """The coherence of a probe in words.

    >>> power_sentence([0.8, 0.15, 0.05])
    'Probe power by mode: 80.0 %, 15.0 %, 5.0 %; 1.5 modes in effect.'
    """
    shares = ", ".join(f"{100 * share:.1f} %" for share in powers)
    # The inverse participation: 1 for full coherence.
    effective = sum(powers) ** 2 / max(sum(p * p for p in powers), 1e-300)
    return f"Probe power by mode: {shares}; {effective:.1f} modes in effect."


def _outliers(errors: "NDArray[Any]") -> str:
    """Frames whose error is beyond five spreads of the middle half."""
    import numpy as np

    known = errors[np.isfinite(errors)]
    if len(known) < 8:
        return ""
    low, middle, high = np.percentile(known, [25, 50, 75])
    far = np.flatnonzero(errors > middle + 5.0 * max(high - low, 0.02 * middle))
    shown = ", ".join(str(int(index)) for index in far[:8])
    return shown + (f" and {len(far) - 8} more" if len(far) > 8 else "")
