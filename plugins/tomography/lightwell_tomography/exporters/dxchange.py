"""APS Data Exchange: three stacks and theta for tomopy and its like, the whole entry beside them.

Layout: F. De Carlo et al., "Scientific data exchange", J. Synchrotron Rad. 21, 1224 (2014). The
group of the entry shows the stacks in the order they were taken, as one virtual array.
"""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lightwell import ArrayRef
from lightwell.conversion import Converter, Copy, write_inside
from lightwell.datasets import Dataset
from lightwell.errors import InputError, MissingMetadata
from lightwell.hdf5 import Source, write_virtual
from lightwell.stacks import ArrayInMemory, take
from lightwell.units import ascii_unit, convert
from lightwell_tomography.exporters.dxchange_places import write_facts
from lightwell_tomography.schema import DARK, FLAT, PROJECTION

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ToDataExchange"]

_STACKS = {PROJECTION: "data", FLAT: "data_white", DARK: "data_dark"}
_THETAS = {PROJECTION: "theta", FLAT: "theta_white", DARK: "theta_dark"}
_REST = "data_other"
"""Frames that are not to be used have no place in the format; they are kept all the same."""

_FRAMES = "frames_in_order"


class ToDataExchange(Converter):
    """data, data_white, data_dark and theta below /exchange, the facts below /measurement."""

    name = "dxchange"
    summary = "APS Data Exchange, for tomopy and its like"
    # What reads this format mostly knows no other filter.
    compression: ClassVar[str] = "gzip"

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write a scan.

        Errors: MissingMetadata for what is no scan, or one without projections.
        """
        scan = _Scan(dataset, copy)
        file["implements"] = "exchange:measurement"
        exchange = file.create_group("exchange")
        if dataset.entry.title:
            exchange["title"] = dataset.entry.title
        scan.write_stacks(exchange)
        scan.write_angles(exchange)
        place = scan.write_frames_in_order(exchange)
        write_facts(file, dataset.entry, copy)
        write_inside(file, dataset, path=path, copy=copy, present={scan.frames: place})


class _Scan:
    """The frames of a scan, what each of them is, and at which angle it was taken."""

    def __init__(self, dataset: Dataset, copy: Copy) -> None:
        import numpy as np

        self._copy = copy
        self.frames = _needed(dataset, "instrument.detector.data")
        key = copy.open_array(_needed(dataset, "instrument.detector.image_key")).read()
        turned = _needed(dataset, "sample.rotation_angle")
        angles = np.asarray(copy.open_array(turned).read(), np.float64)
        self._angles = angles * convert(1.0, turned.unit or "degree", "degree")
        known = np.isin(key, list(_STACKS))
        self._kind: NDArray[Any] = np.where(known, key, -1).astype(np.int64)
        if self.frames.ndim != 3 or not (
            len(self._kind) == len(self._angles) == self.frames.shape[0]
        ):
            raise InputError(f"keys and angles of {dataset.pid} do not fit its frames")
        if not (self._kind == PROJECTION).any():
            raise MissingMetadata(f"{dataset.pid} has no projections, which the format needs")

    def _of(self, kind: int) -> "NDArray[Any]":
        import numpy as np

        found: NDArray[Any] = np.flatnonzero(self._kind == kind)
        return found

    def write_stacks(self, group: Any) -> None:
        """Copy the frames, each kind into its own stack."""
        lazy = self._copy.open_array(self.frames)
        for kind, name in {**_STACKS, -1: _REST}.items():
            indices = self._of(kind)
            if len(indices):
                source = take(lazy, indices)
                stack = self._copy.array(group, name, source, unit=self.frames.unit)
                stack.attrs["axes"] = f"{_THETAS.get(kind, 'theta')}:y:x"

    def write_angles(self, group: Any) -> None:
        """Write the angles in degree; a flat's are such that they tell when it was taken."""
        for kind, name in _THETAS.items():
            angles = self._angles_of_flats() if kind == FLAT else self._angles[self._of(kind)]
            if len(angles):
                self._copy.array(group, name, ArrayInMemory(angles), unit="degree")

    def _angles_of_flats(self) -> "NDArray[Any]":
        """The angle of each flat; where it contradicts the order of the frames, one that fits.

        Readers work out from it between which projections a flat was taken, and many beamlines
        write 0 for flats, or the angle the stage was parked at.
        """
        import numpy as np

        projections, flats = self._of(PROJECTION), self._of(FLAT)
        theta = self._angles[projections]
        before = np.searchsorted(projections, flats)
        padded = np.concatenate([theta[:1], theta, theta[-1:]])
        # Amid two projections there is no doubt on which side of either it is.
        fitting = np.where(
            before == 0,
            theta[0],
            np.where(before == len(theta), theta[-1], (padded[before] + padded[before + 1]) / 2),
        )
        turn = np.sign(theta[-1] - theta[0]) or 1.0
        own = self._angles[flats]
        told = np.searchsorted(turn * theta, turn * own)
        told[turn * own >= turn * theta[-1]] = len(theta)
        chosen: NDArray[Any] = np.where((told == before) & np.isfinite(own), own, fitting)
        return chosen

    def write_frames_in_order(self, group: Any) -> str:
        """Write the frames as they were taken, as a virtual array over the stacks; say where."""
        done = dict.fromkeys(self._kind.tolist(), 0)
        sources = []
        for kind, run in groupby(self._kind.tolist()):
            first = done[kind]
            done[kind] += sum(1 for _ in run)
            path = f"{group.name}/{_STACKS.get(kind, _REST)}"
            sources.append(Source(".", path, first, done[kind]))
        shape, dtype = self.frames.shape, self._copy.open_array(self.frames).dtype
        frames = write_virtual(group, _FRAMES, shape, dtype, sources)
        # The entry links to it, and NeXus asks what is linked to for its own name.
        frames.attrs["target"] = frames.name
        if self.frames.unit:
            frames.attrs["units"] = ascii_unit(self.frames.unit)
        return str(frames.name)


def _needed(dataset: Dataset, path: str) -> ArrayRef:
    found = dataset.entry.lookup(path)
    if not isinstance(found, ArrayRef):
        raise MissingMetadata(
            f"{dataset.pid} has no {path}; only tomographic scans become Data Exchange",
            remedy="Look at it with `lightwell show PID`",
        )
    return found
