"""Catalog documents of four beamlines, as many as wanted, the same on every run.

For tests and benchmarks of catalogs; `odd_document` has what instruments write by mistake.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lightwell.catalog.documents import attributes, storable
from lightwell.datasets import make_pid, moment_text

__all__ = ["BEAMLINES", "Beamline", "beamline_document", "beamline_documents", "odd_document"]

_FIRST: Final = datetime(2013, 7, 13, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Beamline:
    """What the documents of one beamline have in common."""

    name: str
    definition: str
    importer: str
    technique: str
    samples: tuple[str, ...]
    keys: tuple[str, ...]


BEAMLINES: Final = (
    Beamline(
        "ALS 8.3.2", "NXtomo", "als832", "x-ray tomography",
        ("Chilarchaea_quellon", "Hornby_shale", "Bucky_bead", "straße 7", "Ångström glass"),
        ("/exchange/theta", "Camera.exposure", "senergy", "tilt$"),
    ),
    Beamline(
        "ALS 7.3.3", "NXsas", "saxs733", "small angle x-ray scattering",
        ("AgB", "PS-b-PMMA", "film_042", "Ärger", "blank"),
        ("Beamline Energy", "$sdd", "Izero.norm", "AO 3%"),
    ),
    Beamline(
        "ALS 10.3.2", "NXxas", "als1032", "x-ray absorption spectroscopy",
        ("Fe foil", "soil-17", "LiFePO₄", "zeolite"),
        ("mono.d", "edge", "ring.current", "100%"),
    ),
    Beamline(
        "COSMIC 7.0.1", "NXcxi_ptycho", "cosmic", "ptychography",
        ("LFP_particle", "gold ball", "Siemens_star"),
        ("probe/illumination", "dwell", "scan.step", "№ of frames"),
    ),
)  # fmt: skip

_UNITS: Final = ("mm", "eV", "degree", None, None)


def beamline_documents(
    count: int, *, attributes: int = 155, first: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield documents with at least so many attributes each; number `first` is the oldest."""
    for number in range(first, first + count):
        yield beamline_document(number, attributes=attributes)


def beamline_document(number: int, *, attributes: int = 155) -> dict[str, Any]:
    """Return the document of one number: a dataset of one of the beamlines.

    >>> beamline_document(7)["canonical"]["beamline"]
    'COSMIC 7.0.1'
    """
    chance = random.Random(number)  # noqa: S311 - cases, not keys
    beamline = BEAMLINES[number % len(BEAMLINES)]
    sample = chance.choice(beamline.samples)
    began = _FIRST + timedelta(minutes=number)
    name = f"{began:%Y%m%d_%H%M%S}_{sample}_{number:07d}"
    canonical = _canonical(chance, beamline, sample, name, began)
    document = {
        "pid": make_pid(f"{number:064x}", "entry"),
        "rev": 1,
        "kind": "derived" if number % 5 == 4 else "raw",
        "definition": beamline.definition,
        "importer": beamline.importer,
        "path": f"/data/{beamline.importer}/{name}.h5",
        "entry_name": "entry",
        "owner": f"user{chance.randrange(114)}",
        "proposal": canonical["proposal"],
        "created": moment_text(began + timedelta(days=1)),
        "manifest": {
            "digest": f"{number:064x}",
            "files": 0,
            "bytes": chance.randrange(10**9, 10**10),
            "root": f"file:///data/{beamline.importer}",
        },
        "retired": number % 50 == 49,
        "canonical": canonical,
        "entry": {
            "title": canonical["title"],
            "sample": {"name": sample, "temperature": canonical["temperature"]},
        },
    }
    document["entry"]["original"] = _original(chance, beamline, number, attributes - 24)
    return document


def _canonical(
    chance: random.Random, beamline: Beamline, sample: str, name: str, began: datetime
) -> dict[str, Any]:
    return {
        "title": name,
        "definition": beamline.definition,
        "technique": beamline.technique,
        "facility": "ALS",
        "beamline": beamline.name,
        "proposal": f"ALS-{chance.randrange(1000):05d}",
        "sample": sample,
        "temperature": float(chance.randrange(80, 400)),
        "start_time": moment_text(began),
        "energy": float(chance.randrange(5000, 60000)),
    }


def _original(
    chance: random.Random, beamline: Beamline, number: int, wanted: int
) -> dict[str, Any]:
    """Return values under the keys of the instrument, with so many attributes together."""
    found: dict[str, Any] = {"scan_number": {"value": number}}
    rows = 1
    while rows < wanted:
        place = len(found)
        key = f"{beamline.keys[place % len(beamline.keys)]}.{place}"
        unit = _UNITS[place % len(_UNITS)]
        value: Any = (
            round(chance.random() * 1000, 3),
            chance.randrange(50),
            chance.random() < 0.5,
            f"state {chance.randrange(20)}",
        )[place % 4]
        found[key] = {"value": value, **({"unit": unit} if unit else {})}
        rows += 2 if unit else 1
    return found


_ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, 1.0, -0.0, 0.5, 2**53, 2**53 + 1, 2**63, 1e-300, "", "1", "true"),
    *("null", "x\0y", "straße", "STRASSE", "\ufb01x", "İ", "e\u0301t\u00e9", "\U0001f52c", "%_"),
    *("a.b", "$d", "\uff11\uff12", "²", "ǅ", [], {}, [[1]], [1, "1", True, None], [{"b": 1}]),
    *([{"b": [1, 2]}, {"b": "1"}, [{"b": 9}]], {"b": {"0": 1}}, {"0": 1, "": 2}, ["ﷺ", "Ärger"]),
)
_ODD_KEYS: Final = (
    "a",
    "b",
    "0",
    "10",
    "",
    "x.y",
    "$d",
    "$",
    "100%",
    "/exchange/theta",
    "ä",
    "a.0",
)


def odd_document(number: int, *, attributes: int = 155) -> dict[str, Any]:
    """Return the document of a number with values missing, null, of other types, in lists.

    >>> odd_document(3) == odd_document(3)
    True
    """
    chance = random.Random(-1 - number)  # noqa: S311
    document = beamline_document(number, attributes=attributes)
    for name in ("owner", "proposal", "path", "importer", "definition"):
        if chance.random() < 0.2:
            del document[name]
    if chance.random() < 0.3:
        document["owner"] = chance.choice(("mia", "", "Ärger", "1", "true"))
    document["flags"] = chance.sample(("missing-source", "a", "ß"), chance.randrange(4))
    document["derived_from"] = chance.sample(("p1", "p2", "p3"), chance.randrange(3))
    canonical, entry = document["canonical"], document["entry"]
    for name in list(canonical):
        if chance.random() < 0.15:
            canonical[name] = chance.choice(_ODD)
        elif chance.random() < 0.1:
            del canonical[name]
    for key in chance.sample(_ODD_KEYS, chance.randrange(len(_ODD_KEYS))):
        entry[key] = _odd_value(chance)
    for key in chance.sample(_ODD_KEYS, chance.randrange(4)):
        entry["original"][key] = {"value": _odd_value(chance)}
    entry["sample"]["name"] = chance.choice(([canonical.get("sample"), "b"], "Hornby", None, 7))
    found: dict[str, Any] = storable(document)
    return found


def _odd_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if kind < 0.6 or depth > 2:
        return chance.choice(_ODD)
    if kind < 0.8:
        return [_odd_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    keys = chance.sample(_ODD_KEYS, chance.randrange(4))
    return {key: _odd_value(chance, depth + 1) for key in keys}


def attribute_count(document: Mapping[str, Any]) -> int:
    """Return how many attributes a document is found by, those of the dataset itself too."""
    return len(attributes(document)) + len(document)
