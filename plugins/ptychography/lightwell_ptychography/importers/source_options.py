"""What a person says about the source of the light, put into the description of a scan."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

from lightwell import Default, Unit
from lightwell.model import Beam, Source
from lightwell_ptychography.schema import PtychographyInstrument

__all__ = ["GivenSource", "with_source"]

Probe = Literal[
    "x-ray",
    "photon",
    "ultraviolet",
    "visible light",
    "electron",
    "neutron",
    "positron",
    "proton",
    "muon",
]


class GivenSource(TypedDict, total=False):
    """What NXcxi_ptycho asks for and hardly a file says.

    source_name : of the facility; source_type : as NXsource calls it ("Synchrotron X-ray Source",
    "Free-Electron Laser"); source_probe : what is diffracted; source_energy : of the particles in
    the ring; energy_spread : of the light on the sample.
    """

    source_name: Annotated[str | None, Default(None)]
    source_type: Annotated[str | None, Default(None)]
    source_probe: Annotated[Probe | None, Default(None)]
    source_energy: Annotated[float | None, Unit("eV"), Default(None)]
    energy_spread: Annotated[float | None, Unit("eV"), Default(None)]


def with_source(
    instrument: PtychographyInstrument, given: Mapping[str, Any]
) -> PtychographyInstrument:
    """The instrument with what was given, which comes before what the file says.

    given : the options of `GivenSource`.
    """
    names = ("name", "type", "probe", "energy")
    told = {name: given.get(f"source_{name}") for name in names}
    told = {name: value for name, value in told.items() if value is not None}
    fields: dict[str, Any] = {}
    if told:
        fields["source"] = (instrument.source or Source()).model_copy(update=told)
    spread = given.get("energy_spread")
    if spread is not None:
        beam = instrument.beam or Beam()
        fields["beam"] = beam.model_copy(update={"incident_energy_spread": spread})
    return instrument.model_copy(update=fields)
