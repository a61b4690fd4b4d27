"""What analyses of curves give: one row per curve, a column per quantity and per error."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from lightwell import Array, Dims, Entry, Product
from lightwell_saxs.profiles import Profiles, intensity_unit

__all__ = [
    "DistanceCurves",
    "GuinierTable",
    "KratkyCurves",
    "ParticleTable",
    "PorodTable",
    "curves_of",
]

_Column = Annotated[Array, Dims("frame", gaps=True)]
_Nanometre = Annotated[Array, Dims("frame", unit="nm", gaps=True)]
_Curve = Annotated[Array, Dims("frame", "q", gaps=True)]


def curves_of(profiles: Profiles) -> dict[str, Any]:
    """The curves a table is about, which it keeps beside its numbers."""
    return {name: getattr(profiles, name) for name in ("q", "intensity", "sigma")}


class ParticleTable(Product):
    """Parameters of particles, not a number where the model has no such parameter.

    chi_squared : reduced; points : that counted; converged : 1 where the fit ended by itself;
    covariance : of the parameters in the order of kernels.particles.PARAMETERS; intensity, sigma,
    fitted : the curve and the model of it.
    """

    result_attributes: ClassVar[Any] = {"radius": {"uncertainties": "radius_sigma"}}

    chi_squared: _Column
    scale: _Column
    scale_sigma: _Column
    background: _Column
    background_sigma: _Column
    radius: _Nanometre
    radius_sigma: _Nanometre
    thickness: _Nanometre
    thickness_sigma: _Nanometre
    length: _Nanometre
    length_sigma: _Nanometre
    polar_radius: _Nanometre
    polar_radius_sigma: _Nanometre
    radius_of_gyration: _Nanometre
    radius_of_gyration_sigma: _Nanometre
    polydispersity: _Column
    polydispersity_sigma: _Column
    volume_fraction: _Column
    volume_fraction_sigma: _Column
    hard_sphere_radius: _Nanometre
    hard_sphere_radius_sigma: _Nanometre
    points: _Column
    converged: _Column
    covariance: Annotated[Array, Dims("frame", "parameter", "other_parameter", gaps=True)]
    q: Annotated[Array, Dims("q", unit="1/nm")]
    intensity: _Curve
    sigma: _Curve
    fitted: _Curve

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The unit of the curves."""
        names = ("background", "background_sigma", "intensity", "sigma", "fitted")
        return intensity_unit(entry, *names)


class GuinierTable(Product):
    """Radius of gyration and forward intensity, not a number where no line falls.

    first, last : points of the range, both included; rg_spread : standard deviation of Rg among
    ranges as good, not a number where the range was given; curvature : of the line in its sigmas;
    verdict : 2 good, 1 doubtful (a rule of kernels.guinier is broken), 0 failed; intensity, sigma :
    the curve the line is drawn through.
    """

    result_attributes: ClassVar[Any] = {
        "rg": {"uncertainties": "rg_sigma"},
        "i0": {"uncertainties": "i0_sigma"},
    }

    rg: _Nanometre
    rg_sigma: _Nanometre
    i0: _Column
    i0_sigma: _Column
    rg_spread: _Nanometre
    first: _Column
    last: _Column
    q_rg_min: _Column
    q_rg_max: _Column
    chi_squared: _Column
    curvature: _Column
    verdict: _Column
    q: Annotated[Array, Dims("q", unit="1/nm")]
    intensity: _Curve
    sigma: _Curve

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The unit of the curves."""
        return intensity_unit(entry, "i0", "i0_sigma", "intensity", "sigma")


class PorodTable(Product):
    """Porod's constant and background, the invariant, and the volume of alike particles.

    constant : (unit of intensity)/nm⁴; invariant : (unit of intensity)/nm³; rg, i0 : of the
    Guinier range that continues the curve to q = 0.
    """

    result_attributes: ClassVar[Any] = {"invariant": {"uncertainties": "invariant_sigma"}}

    invariant: _Column
    invariant_sigma: _Column
    constant: _Column
    constant_sigma: _Column
    background: _Column
    background_sigma: _Column
    volume: Annotated[Array, Dims("frame", unit="nm**3", gaps=True)]
    volume_sigma: Annotated[Array, Dims("frame", unit="nm**3", gaps=True)]
    chi_squared: _Column
    rg: _Nanometre
    i0: _Column
    verdict: _Column

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The unit of the curves."""
        return intensity_unit(entry, "i0", "background", "background_sigma")


class KratkyCurves(Product):
    """The dimensionless Kratky plot: (q·Rg)² I/I(0) with sigma, over q·Rg of each curve."""

    result_attributes: ClassVar[Any] = {"kratky": {"uncertainties": "sigma"}}

    kratky: Annotated[Array, Dims("frame", "q", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "q", gaps=True)]
    q_rg: Annotated[Array, Dims("frame", "q", gaps=True)]
    q: Annotated[Array, Dims("q", unit="1/nm")]


class DistanceCurves(Product):
    """p(r) of every curve with errors, and what follows from it.

    r : of each curve, whose largest distance is its own; largest_sigma : 0 where it was given;
    good_parameters : how many the data determine; evidence : the logarithm of the evidence of the
    largest distance.
    """

    result_attributes: ClassVar[Any] = {"p": {"uncertainties": "p_sigma"}}

    p: Annotated[Array, Dims("frame", "point", gaps=True)]
    p_sigma: Annotated[Array, Dims("frame", "point", gaps=True)]
    r: Annotated[Array, Dims("frame", "point", unit="nm", gaps=True)]
    largest: _Nanometre
    largest_sigma: _Nanometre
    rg: _Nanometre
    rg_sigma: _Nanometre
    i0: _Column
    i0_sigma: _Column
    chi_squared: _Column
    evidence: _Column
    strength: _Column
    good_parameters: _Column

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The unit of the curves."""
        return intensity_unit(entry, "i0", "i0_sigma")
