"""Those who reconstruct in `ptychography.py`: all begin at one guess and go on epoch by epoch."""

import contextlib
import dataclasses
import importlib
import logging
import sys
import types
import warnings
from typing import Any, Protocol

import numpy as np

__all__ = ["Contender", "Lightwell", "PtyChi", "Task"]


@dataclasses.dataclass(frozen=True)
class Task:
    """What everybody is given.

    frames    : (frame, y, x) float32 counts, zero frequency in the centre (far field)
    mask      : (y, x) bool, True where a pixel counts
    positions : (frame, 2) object pixels of the upper left corner
    probe     : (mode, y, x) complex64, where all begin, roots of counts
    whole     : whether the positions are whole pixels, so that nobody needs to interpolate
    near      : wavelength, distance, pixel in metre for the near field, None for the far field
    """

    frames: Any
    mask: Any
    positions: Any
    probe: Any
    whole: bool
    near: tuple[float, float, float] | None = None

    def half(self, first: int) -> "Task":
        """Every second frame."""
        return dataclasses.replace(
            self, frames=self.frames[first::2], positions=self.positions[first::2]
        )

    def canvas(self) -> tuple[int, int]:
        """Object pixels that hold every frame."""
        reach = np.ceil(self.positions.max(axis=0)).astype(int) + self.frames.shape[-1] + 8
        return int(reach[0]), int(reach[1])


class Contender(Protocol):
    """A program at work."""

    def run(self, epochs: int) -> None:
        """Go on for so many epochs, and return when they are done."""

    def object(self) -> Any:
        """The object so far: (slice, y, x) complex."""

    def probe(self) -> Any:
        """The probe so far: (mode, y, x) complex."""


class Lightwell:
    """rPIE of lightwell."""

    def __init__(self, task: Task, **options: Any) -> None:
        import jax
        import jax.numpy as jnp

        from lightwell_ptychography.engines import rpie
        from lightwell_ptychography.problem import Patterns, Reconstruction
        from lightwell_ptychography.propagators import FarField, NearField

        frames, mask = task.frames, task.mask
        propagator: Any = FarField()
        if task.near is None:
            frames = np.fft.ifftshift(frames, axes=(-2, -1))
            mask = np.fft.ifftshift(mask)
        else:
            wavelength, distance, pixel = task.near
            propagator = NearField(wavelength, distance, (pixel, pixel))
        positions = jnp.asarray(task.positions + 2, jnp.float32)
        self._patterns = Patterns(jnp.asarray(frames), jnp.asarray(mask), positions)
        given = {"subpixel": not task.whole, "propagator": propagator, **options}
        self._options = rpie.RPIEOptions(**given)
        blank = jnp.ones((1, *task.canvas()), jnp.complex64)
        guess = Reconstruction(blank, jnp.asarray(task.probe, jnp.complex64), positions)
        self._engine, self._epoch, self._jax = rpie, 0, jax
        self._state = rpie.init(self._patterns, guess, self._options)
        self.error = float("nan")

    def run(self, epochs: int) -> None:
        """Go on."""
        for _ in range(epochs):
            self._state, metrics = self._engine.update(
                self._state, self._patterns, self._epoch, self._options
            )
            self._epoch += 1
        self._jax.block_until_ready(self._state)
        self.error = float(metrics["fourier_error"])

    def object(self) -> Any:
        """The object so far."""
        return np.asarray(self._engine.finish(self._state).object)

    def probe(self) -> Any:
        """The probe so far."""
        return np.asarray(self._engine.finish(self._state).probe)

    def positions(self) -> Any:
        """The positions so far, as the task counts them: (frame, 2)."""
        return np.asarray(self._engine.finish(self._state).positions) - 2


class PtyChi:
    """Pty-chi: LSQ-ML or rPIE."""

    def __init__(self, task: Task, algorithm: str = "lsqml", **tuning: Any) -> None:
        import torch

        _let_torchvision_load()
        import ptychi.api as api
        from ptychi.api.task import PtychographyTask

        torch.set_num_threads(2)
        logging.getLogger().setLevel(logging.ERROR)
        made = {"lsqml": api.LSQMLOptions, "rpie": api.RPIEOptions}[algorithm]()
        made.data_options.fft_shift = task.near is None
        made.object_options.determine_position_origin_coords_by = "positions"
        if task.near is not None:
            wavelength, distance, pixel = task.near
            made.data_options.wavelength_m = wavelength
            made.data_options.free_space_propagation_distance_m = distance
            made.object_options.pixel_size_m = pixel
        made.reconstructor_options.default_device = api.Devices.CPU
        made.reconstructor_options.random_seed = 0
        made.reconstructor_options.num_epochs = 1000
        # Its own metric, which costs it time and is not needed here.
        made.reconstructor_options.displayed_loss_function = None
        for name, value in tuning.items():
            owner = made
            *path, last = name.split(".")
            for part in path:
                owner = getattr(owner, part)
            setattr(owner, last, value)
        blank = np.ones((1, *task.canvas()), np.complex64)
        with _quiet():
            self._task = PtychographyTask(
                made,
                diffraction_data=np.asarray(task.frames, np.float32),
                object_data=blank,
                probe_data=np.asarray(task.probe, np.complex64)[None],
                probe_position_x_px=np.asarray(task.positions[:, 1], np.float32),
                probe_position_y_px=np.asarray(task.positions[:, 0], np.float32),
                valid_pixel_mask=np.asarray(task.mask, bool),
            )

    def run(self, epochs: int) -> None:
        """Go on."""
        with _quiet():
            self._task.run(epochs)

    def object(self) -> Any:
        """The object so far."""
        return self._task.get_data_to_cpu("object", as_numpy=True)

    def probe(self) -> Any:
        """The probe so far."""
        return self._task.get_data_to_cpu("probe", as_numpy=True)[0]


def _let_torchvision_load() -> None:
    """Stand in for torchvision where it does not load beside a torch for processors alone.

    The wheel of PyPI is built for CUDA; pty-chi wants no more of it than a blur that is not used
    here.
    """
    try:
        importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError):
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        package, transforms = (types.ModuleType(f"torchvision{n}") for n in ("", ".transforms"))
        package.transforms, transforms.GaussianBlur = transforms, None  # type: ignore[attr-defined]
        sys.modules.update({package.__name__: package, transforms.__name__: transforms})


@contextlib.contextmanager
def _quiet() -> Any:
    """Without progress bars and warnings, which cost no time but the reader's."""
    import os

    with (
        warnings.catch_warnings(),
        open(os.devnull, "w") as nowhere,  # noqa: PTH123
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        warnings.simplefilter("ignore")
        yield
