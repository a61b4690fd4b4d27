"""What of an entry is a channel of its frames, and what it is called."""

import numpy as np
import pytest

from lightwell import ArrayRef, Detector, Entry, Instrument, Sample
from lightwell.errors import ParameterError
from lightwell.frame_index import find_channels, frame_stack
from lightwell.frame_index.channels import channel_values
from lightwell.frame_index.quantities import channel_unit, number_in
from lightwell.model import Data, Monitor, Positioner, Source


def array(path: str, *shape: int, unit: str | None = None) -> ArrayRef:
    return ArrayRef.hdf5("a.h5", path, shape, "float64", unit)


def entry() -> Entry:
    stack = array("/data", 5, 20, 30)
    detector = Detector(
        data=stack,
        image_key=array("/key", 5),
        flatfield=array("/flat", 5, 30),
        pixel_mask=array("/mask", 5),
    )
    return Entry(
        instrument=Instrument(
            detector=detector,
            source=Source(current=array("/current", 5, unit="A")),
            positioners={"sam-x": Positioner(value=array("/samx", 5, unit="mm"))},
        ),
        sample=Sample(
            rotation_angle=array("/angle", 5, unit="degree"),
            x_translation=array("/x", 5, unit="um"),
            temperature=array("/short", 4, unit="K"),
        ),
        monitors={"I0": Monitor(data=array("/i0", 5), count_time=array("/time", 5, unit="ms"))},
        data={
            "data": Data(
                signal="data",
                axes=("angle", "rows", "columns"),
                fields={
                    "data": stack,
                    "angle": array("/angle", 5, unit="degree"),
                    # As long as there are frames by accident: an axis of another dimension.
                    "rows": array("/rows", 5),
                    "beam": array("/beam", 5),
                },
            )
        },
    )


def test_channels_are_the_arrays_along_the_frames() -> None:
    assert frame_stack(entry()) == array("/data", 5, 20, 30)
    assert {channel.name: channel.path for channel in find_channels(entry())} == {
        "image_key": "instrument.detector.image_key",
        "ring_current": "instrument.source.current",
        "rotation_angle": "sample.rotation_angle",
        "sample_x": "sample.x_translation",
        "sam_x": "instrument.positioners.sam-x.value",
        "I0": "monitors.I0.data",
        "I0_count_time": "monitors.I0.count_time",
        "beam": "data.data.fields.beam",
    }


def test_without_frames_there_are_no_channels() -> None:
    assert find_channels(Entry(title="nothing")) == ()
    picture = Data(signal="i", fields={"i": array("/i", 5, 6), "x": array("/x", 5)})
    assert find_channels(Entry(data={"data": picture})) == ()
    spectrum = Data(signal="i", axes=("e",), fields={"i": array("/i", 5), "e": array("/e", 5)})
    assert [c.name for c in find_channels(Entry(data={"data": spectrum}))] == ["e", "i"]


@pytest.mark.parametrize(
    ("name", "unit", "value", "kept"),
    [
        ("ring_current", "A", 0.4, ("mA", 400.0)),
        ("ring_current", "mA", 400.0, ("mA", 400.0)),
        ("sample_x", "um", 500.0, ("mm", 0.5)),
        ("distance", "mm", 500.0, ("m", 0.5)),
        ("temperature", "degC", 20.0, ("K", 293.15)),
        ("I0", "counts", 3.0, ("counts", 3.0)),
        ("I0", None, 3.0, ("", 3.0)),
        ("odd", "furlongs per hour (?)", 3.0, ("furlongs per hour (?)", 3.0)),
    ],
)
def test_units_are_those_control_systems_report(
    name: str, unit: str | None, value: float, kept: tuple[str, float]
) -> None:
    found = channel_values(name, unit, np.array([value]))
    assert (found[0], found[1][0]) == (kept[0], pytest.approx(kept[1]))


def test_values_in_their_own_unit_stay_as_they_are() -> None:
    values = np.array([1.1, 2.2], "f4")
    assert channel_values("sample_x", "mm", values)[1] is values
    assert channel_unit("sample_x", "mm").model == "m"


def test_numbers_with_units() -> None:
    assert number_in("0.4 A", "mA", "ring_current") == pytest.approx(400)
    assert number_in("1.5 A", "mm", "d_spacing") == pytest.approx(1.5e-7)
    assert number_in("20 keV", "mA", "ring_current") is None
    assert number_in("20 mm", "", "samx") is None
    assert number_in(" 20 ", "", "samx") == 20
    with pytest.raises(ParameterError, match="'20 parsecs an hour' is not one"):
        number_in("20 parsecs an hour", "mm", "samx")
