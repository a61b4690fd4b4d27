"""What names of files say about a scan: hints for a reader, never what a scan is known by."""

import re
from collections.abc import Mapping
from datetime import datetime

from lightwell.nexus import Header

__all__ = ["hints", "record_hints"]

# 20130713_185717_Chilarchaea_quellon_F_9053427_IKI_h5: beamline 8.3.2 and its data portal.
_DATED = re.compile(r"(?P<date>\d{8})_(?P<time>\d{6})_(?P<sample>.+?)")
# e438-r0138-s04-c00: experiment, run, scan and camera, as the data portal listed them.
_NUMBERED = re.compile(
    r"e(?P<experiment>\d+)-r(?P<run>\d+)-s(?P<scan>\d+)-c(?P<camera>\d+)", re.IGNORECASE
)
_ENDING = re.compile(r"([._](h5|hdf5|hdf|nxs|txrm|xrm))+$", re.IGNORECASE)
# A file is named when the scan is set up, and that takes minutes.
_APART_S = 3600


def hints(name: str) -> Mapping[str, str]:
    """What a file's name says: date, time and sample, or experiment, run, scan and camera.

    >>> hints("20130713_185717_Chilarchaea_quellon_F_9053427_IKI_h5")["sample"]
    'Chilarchaea_quellon_F_9053427_IKI'
    >>> hints("e438-r0138-s04-c00.h5")
    {'experiment': '438', 'run': '0138', 'scan': '04', 'camera': '00'}
    """
    stem = _ENDING.sub("", name)
    for family in (_DATED, _NUMBERED):
        if found := family.fullmatch(stem):
            return found.groupdict()
    return {}


def record_hints(header: Header, name: str, start: datetime | None) -> None:
    """Keep the hints as ``original.hint_…``; flag a date that contradicts the scan's own.

    start : of the scan, in the time zone of the instrument.
    """
    said = hints(name)
    for key, value in said.items():
        header.record(f"hint_{key}", value)
    if start is None or "date" not in said:
        return
    try:
        stamp = datetime.strptime(said["date"] + said["time"], "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        return
    if abs((stamp - start.replace(tzinfo=None)).total_seconds()) > _APART_S:
        sentence = f"The name {name} says {stamp}, the scan began {start}; both are kept."
        header.flag("file-name-contradicts", sentence, "hint_date")
