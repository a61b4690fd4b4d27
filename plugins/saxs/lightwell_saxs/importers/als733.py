"""ALS beamline 7.3.3: an EDF image with a text side-car of counters, motors and inputs.

Layout: files of the beamline of 2013 to 2015. Neither holds energy, distance or beam centre: they
come from a calibration.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from lightwell import Described, File, Importer, Part
from lightwell.containers.fabio_images import read_header
from lightwell.model import Source
from lightwell.nexus import Header
from lightwell_saxs.importers.dectris import DUMMY
from lightwell_saxs.importers.geometry_options import GivenWithImage
from lightwell_saxs.importers.images import described, frames_of, is_als733, is_edf
from lightwell_saxs.schema import ScatteringDetector, ScatteringInstrument

__all__ = ["Als733"]

_BLOCK = re.compile(r"(Motors|DIOs|AIs): (\d+)")
_PIXEL = re.compile(r"Pixel_size\s+([\d.eE+-]+)\s*m\s*x\s*([\d.eE+-]+)\s*m")
_HEAD = 16384


class Als733(Importer):
    """One EDF image per exposure; NAME.txt beside NAME.edf is its side-car."""

    name = "als733"

    def claims(self, file: File) -> bool:
        if file.is_dir or file.suffix != ".edf":
            return False
        head = file.read_bytes(0, _HEAD)
        return is_edf(head) and is_als733(head)

    def advice(self, file: File) -> str | None:
        if file.suffix == ".txt" and not file.is_dir and _BLOCK.search(_text(file)):
            return "this is the side-car of an image of beamline 7.3.3: give the .edf beside it"
        return None

    def describe(
        self,
        file: File,
        /,
        **given: Unpack[GivenWithImage],
    ) -> Iterator[Described]:
        """Describe an image; what its files do not say (energy, geometry), a person gives.

        poni : a calibration; orientation : of the rows, in place of the one it says; beam_center_x,
        beam_center_y : 0 at the centre of the first pixel.
        """
        header = Header({key: (value, None) for key, value in read_header(file)[0].items()})
        beside = File(Path(file.local_path()).with_suffix(".txt"))
        has_beside = beside.exists and bool(_BLOCK.search(_text(beside)))
        if has_beside:
            for key, value in _side_car(_text(beside)).items():
                header.record(key, value)
        else:
            header.flag("side-car-missing", "There is no text file with motors beside the image.")
        instrument = ScatteringInstrument(
            name="ALS beamline 7.3.3",
            beamline="7.3.3",
            source=Source(name="Advanced Light Source", type="Synchrotron X-ray Source"),
            detector=_detector(header, file),
        )
        yield described(
            file,
            [file],
            instrument,
            header,
            given,
            others=(Part(beside, "side-car"),) if has_beside else (),
            start_time=header.time("Date", field="start_time"),
        )


def _detector(header: Header, file: File) -> ScatteringDetector:
    size = _PIXEL.search(header.text("title", field="instrument.detector.x_pixel_size") or "")
    frames = frames_of([file])
    kinds = {1475: "Pilatus 2M", 981: "Pilatus 1M"}
    return ScatteringDetector(
        description=kinds.get(frames.shape[2]),
        data=frames,
        x_pixel_size=float(size[1]) if size else None,
        y_pixel_size=float(size[2]) if size else None,
        count_time=header.number(
            "count_time", to="s", unit_default="s", field="instrument.detector.count_time"
        ),
        **DUMMY,
    )


def _text(file: File) -> str:
    return file.read_bytes(0, 65536).decode("utf-8", errors="replace")


def _side_car(text: str) -> dict[str, Any]:
    """Counters by their place, and every ``name: value`` under the block it stands in."""
    found: dict[str, Any] = {}
    block, left = "counters", 0
    for number, line in enumerate(text.splitlines()):
        begins = _BLOCK.fullmatch(line.strip())
        name, colon, value = line.partition(":")
        if begins:
            block, left = begins[1], int(begins[2])
        elif colon and left > 0:
            key = f"{block}/{name.strip()}"
            found[key if key not in found else f"{key} ({number})"] = _number(value)
            left -= 1
        elif block == "counters" and line.strip():
            found[f"counters/{number}"] = _number(line)
        elif "=" in line:
            key, _, rest = line.partition("=")
            found[f"scan/{key.strip()}"] = rest.strip()
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()
