"""Angles that the files do not hold: given by a person, or refused with the way to give them."""

from lightwell import ArrayRef
from lightwell.errors import MissingMetadata, ParameterError

__all__ = ["frame_angles", "given_angles"]


def given_angles(first: float | None, last: float | None, count: int) -> ArrayRef | None:
    """The angles a person gave, evenly spaced with both ends included, or None.

    first, last : degree
    Errors: ParameterError for one without the other.
    """
    if first is None and last is None:
        return None
    if first is None or last is None:
        missing = "first_angle" if first is None else "last_angle"
        raise ParameterError(
            f"{missing} is missing beside the other end of the scan",
            remedy=f"give it: --set {missing}=… (degree)",
        )
    return ArrayRef.even(first, last, count, "degree")


def frame_angles(angles: ArrayRef | None, before: int, where: str) -> ArrayRef:
    """The angles of all frames: those of the projections behind `before` flats and darks.

    Errors: MissingMetadata where neither file nor person gave any.
    """
    if angles is None:
        raise MissingMetadata(
            "the angles of the projections are not in the files",
            where=where,
            remedy="give them: --set first_angle=0 --set last_angle=180 (degree, both ends "
            "included)",
        )
    return ArrayRef.concatenate(ArrayRef.constant(0.0, before, angles.unit), angles)
