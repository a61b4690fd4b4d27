"""Is a reconstruction good: against the truth, against its own other half, against its frames."""

from lightwell_ptychography.judgement.ambiguities import Ambiguity, aligned
from lightwell_ptychography.judgement.comparison import (
    lit_region,
    object_difference,
    object_error,
    projected,
)
from lightwell_ptychography.judgement.fit import Fit, fourier_fit, noise_of_roots
from lightwell_ptychography.judgement.resolution import Resolution, halves, object_resolution
from lightwell_ptychography.judgement.results import judge_result
from lightwell_ptychography.judgement.verdict import (
    Verdict,
    judge_fit,
    mode_powers,
    power_sentence,
    propagator_sentence,
)

__all__ = [
    "Ambiguity",
    "Fit",
    "Resolution",
    "Verdict",
    "aligned",
    "fourier_fit",
    "halves",
    "judge_fit",
    "judge_result",
    "lit_region",
    "mode_powers",
    "noise_of_roots",
    "object_difference",
    "object_error",
    "object_resolution",
    "power_sentence",
    "projected",
    "propagator_sentence",
]
