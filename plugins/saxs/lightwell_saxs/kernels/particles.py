"""A whole model of a curve: shape, distribution of sizes, structure factor, scale, background."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from lightwell_saxs.kernels.form_factors import FORMS, ORIENTATIONS, Form
from lightwell_saxs.kernels.size_distribution import Distribution, size_distribution
from lightwell_saxs.kernels.structure_factors import hard_spheres

__all__ = ["PARAMETERS", "Particles", "Structure", "intensity"]

Structure = Literal["none", "hard_spheres"]

PARAMETERS: tuple[str, ...] = (
    "scale",
    "background",
    "radius",
    "thickness",
    "length",
    "polar_radius",
    "radius_of_gyration",
    "polydispersity",
    "volume_fraction",
    "hard_sphere_radius",
    "contrast",
    "shell_contrast",
)
"""Every parameter a model may have, in the order they stand in tables and covariances."""


class Particles(NamedTuple):
    """Which model it is; hashable, so that it can be compiled in.

    directions : a shape that is not round is averaged over.
    """

    form: Form = "sphere"
    distribution: Distribution = "none"
    structure: Structure = "none"
    directions: int = ORIENTATIONS

    @property
    def sizes(self) -> tuple[str, ...]:
        """The lengths of the shape."""
        return FORMS[self.form].lengths

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters this model has, in the order of `PARAMETERS`."""
        mine = {"scale", "background", *self.sizes}
        if self.form != "gaussian_chain":
            mine |= {"contrast"}
        if self.form == "core_shell_sphere":
            mine |= {"shell_contrast"}
        if self.distribution != "none":
            mine |= {"polydispersity"}
        if self.structure != "none":
            mine |= {"volume_fraction", "hard_sphere_radius"}
        return tuple(name for name in PARAMETERS if name in mine)


def intensity(model: Particles, q: Any, values: Any) -> Any:
    """I(q) of a model in 1/cm (see form_factors), differentiable in q and values.

    q : (point) 1/nm; values : (parameter), in the order of `PARAMETERS`. The structure factor
    multiplies the averaged form factor (decoupled sizes and places); a hard-sphere radius of 0
    stands for that of the sphere with the particle's mean volume.
    """
    given: dict[str, Any] = dict(zip(PARAMETERS, values, strict=True))
    shape = FORMS[model.form]
    lengths = {name: given[name] for name in shape.lengths}
    contrasts = {name: given[name] for name in ("contrast", "shell_contrast")}

    def one(size: Any) -> tuple[Any, Any]:
        own = {**lengths, shape.lengths[0]: size}
        squared = shape.squared(q, **own, **contrasts, directions=model.directions)
        return squared, shape.volume(**own)

    if model.distribution == "none":
        squared, volume = one(lengths[shape.lengths[0]])
    else:
        centre = lengths[shape.lengths[0]]
        sizes, weights = size_distribution(model.distribution, centre, given["polydispersity"])
        every, volumes = jax.vmap(one)(sizes)
        squared = jnp.sum(weights[:, None] * every, axis=0)
        volume = jnp.sum(weights * volumes)
    found = 0.1 * squared / volume
    if model.structure == "hard_spheres":
        own = (volume / (4.0 / 3.0 * jnp.pi)) ** (1.0 / 3.0)
        radius = jnp.where(given["hard_sphere_radius"] > 0, given["hard_sphere_radius"], own)
        found = found * hard_spheres(q, radius, given["volume_fraction"])
    return given["scale"] * found + given["background"]
