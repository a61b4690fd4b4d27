"""The rules one by one, where other validators went wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.nexus.validation import Finding, Report, rules_from_nxdl, validate

DETECTOR = "/entry/instrument/detector"
Scan = Callable[..., Path]


def of(report: Report, path: str) -> dict[str, Finding]:
    return {finding.code: finding for finding in report.findings if finding.path == path}


def group(parent: Any, name: str, nx_class: str, **attributes: Any) -> Any:
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    made.attrs.update(attributes)
    return made


def cansas(file: Any) -> None:
    del file["entry"]
    entry = group(file, "sas", "NXentry", canSAS_class="SASentry", version="1.1", default="curve")
    file.attrs["default"] = "sas"
    entry["definition"], entry["title"], entry["run"] = "NXcanSAS", "glassy carbon", "1"
    spectrum = group(
        entry,
        "spectrum",
        "NXdata",
        canSAS_class="SAStransmission_spectrum",
        signal="T",
        T_axes="lambda",
    )
    spectrum.attrs["name"] = "sample"
    for name, unit in (("lambda", "nm"), ("T", ""), ("Tdev", "")):
        spectrum[name] = np.ones(3)
        spectrum[name].attrs["units"] = unit
    spectrum["T"].attrs["uncertainties"] = "Tdev"
    curve = group(
        entry,
        "curve",
        "NXdata",
        canSAS_class="SASdata",
        signal="I",
        I_axes="Q",
        Q_indices=0,
        axes=["Q"],
    )
    for name, unit in (("Q", "1/nm"), ("I", "1/cm")):
        curve[name] = np.ones(5)
        curve[name].attrs["units"] = unit


class TestCanSas:
    def test_two_kinds_of_data_are_told_apart(self, scan: Scan) -> None:
        report = validate(scan(cansas))
        assert report.definitions == ("NXcanSAS v2026.01",)
        assert not report.of("error"), report.of("error")

    def test_the_curve_is_missed_and_the_spectrum_not_taken_for_it(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            cansas(file)
            del file["sas/curve"]

        [error] = validate(scan(change)).of("error")
        assert (error.code, error.path) == ("group-missing", "/sas")

    def test_a_unit_of_the_list_in_another_spelling_is_a_warning(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            cansas(file)
            file["sas/curve/Q"].attrs["units"] = "1/A"

        found = of(validate(scan(change)), "/sas/curve/Q")
        assert found["unit-spelling"].severity == "warning"
        assert "1/angstrom" in found["unit-spelling"].mend

    @pytest.mark.parametrize(("version", "severity"), [("1.0", "warning"), ("0.9", "error")])
    def test_an_older_version_is_waived(self, version: str, severity: str, scan: Scan) -> None:
        def change(file: Any) -> None:
            cansas(file)
            file["sas"].attrs["version"] = version

        assert of(validate(scan(change)), "/sas")["attribute-value"].severity == severity


class TestUnits:
    @pytest.mark.parametrize(
        ("unit", "code", "severity"),
        [
            ("um", None, None),
            ("μm", "unit-spelling", "warning"),
            ("[mm]", "unit-spelling", "warning"),
            ("A", "unit-spelling", "warning"),
            ("pixel", "unit-category", "error"),
            ("a.u.", "unit-unknown", "error"),
            ("A (ampere)", "unit-unknown", "error"),
            ("MM", "unit-unknown", "error"),
        ],
    )
    def test_of_a_length(self, unit: str, code: str | None, severity: str, scan: Scan) -> None:
        def change(file: Any) -> None:
            file[f"{DETECTOR}/distance"].attrs["units"] = unit

        found = of(validate(scan(change)), f"{DETECTOR}/distance")
        assert {c: f.severity for c, f in found.items()} == ({code: severity} if code else {})

    def test_a_beam_centre_may_be_in_pixels(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            for name, unit in (("beam_center_x", "px"), ("beam_center_y", "eV")):
                file[f"{DETECTOR}/{name}"] = 2.5
                file[f"{DETECTOR}/{name}"].attrs["units"] = unit

        report = validate(scan(change))
        waived = of(report, f"{DETECTOR}/beam_center_x")["unit-category"]
        assert (waived.severity, waived.waiver) == ("note", "beam-centre-in-pixels")
        assert of(report, f"{DETECTOR}/beam_center_y")["unit-category"].severity == "warning"

    def test_are_inherited_from_the_base_class(self, scan: Scan, tmp_path: Path) -> None:
        inner = '<group type="NXentry"><field name="definition"/><group type="NXinstrument">'
        inner += '<group type="NXbeam"><field name="incident_energy"/></group></group></group>'
        head = '<definition xmlns="x" name="NXmine" category="application" type="group">'
        (tmp_path / "NXmine.nxdl.xml").write_text(f"{head}{inner}</definition>", "utf-8")
        rules = load_with(tmp_path)

        def change(file: Any) -> None:
            del file["/entry/definition"]
            file["/entry/definition"] = "NXmine"
            file["/entry/instrument/beam/incident_energy"].attrs["units"] = "m"

        [error] = validate(scan(change), rules=rules).of("error")
        assert (error.code, error.definition) == ("unit-category", "NXmine")

    def test_nobody_asks_for_a_unit_of_any_kind(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            control = group(file["entry"], "control", "NXmonitor")
            control["data"] = np.ones(6)
            control["data"].attrs["units"] = "counts"

        assert validate(scan(change)).findings == ()


def load_with(folder: Path) -> Any:
    from lightwell.nexus.validation import load_rules

    return load_rules("nexus-v2026.01").overlaid(rules_from_nxdl(folder, "v1"))


def test_what_a_base_class_requires(scan: Scan, tmp_path: Path) -> None:
    head = '<definition xmlns="x" name="NXmine" category="base" type="group">'
    inner = '<field name="serial" minOccurs="1"/><field name="colour"/>'
    (tmp_path / "NXmine.nxdl.xml").write_text(f"{head}{inner}</definition>", "utf-8")
    report = validate(
        scan(lambda file: group(file["entry/instrument"], "mine", "NXmine")),
        rules=load_with(tmp_path),
    )
    found = of(report, "/entry/instrument/mine")
    assert found["field-missing"].severity == "warning"
    assert found["field-missing"].version == "v1"


class TestDates:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("2026-01-31T12:00:00.123+01:00", {}),
            ("2026-01-31T12:00:00Z", {}),
            ("2026-01-31T12:00:00", {"date-zone": "note"}),
            ("2026-01-31 12:00:00", {"date-format": "warning"}),
            ("2026-01-31", {"date-format": "warning"}),
            ("2026-02-31T12:00:00Z", {"date-format": "error"}),
            ("Tue Oct 18 14:16:18 2022", {"date-format": "error"}),
            ("", {"date-format": "error"}),
        ],
    )
    def test_are_iso(self, text: str, found: dict[str, str], scan: Scan) -> None:
        def change(file: Any) -> None:
            del file["/entry/start_time"]
            file["/entry/start_time"] = text

        report = of(validate(scan(change)), "/entry/start_time")
        assert {code: finding.severity for code, finding in report.items()} == found


class TestPlots:
    def test_axes_of_several_dimensions(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            data = group(file["entry"], "map", "NXdata", signal="i", axes=["z", "y", "x"])
            data["i"], data["z"] = np.ones((4, 7, 9)), np.ones(4)
            data["x"] = data["y"] = np.ones((7, 9))
            data.attrs["x_indices"] = data.attrs["y_indices"] = [1, 2]

        assert validate(scan(change)).findings == ()

    def test_edges_are_one_more(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            data = group(file["entry"], "histogram", "NXdata", signal="n", axes=["e"])
            data["n"], data["e"] = np.ones(4), np.arange(5)

        assert validate(scan(change)).findings == ()

    @pytest.mark.parametrize(
        ("attributes", "code", "severity"),
        [
            ({"axes": ["e"]}, "axes-rank", "error"),
            ({"axes": ["gone"]}, "axes-missing", "error"),
            ({"axes": "e:e"}, "axes-as-text", "warning"),
            ({"axes": ["n"], "n_indices": 3}, "axes-rank", "error"),
            ({"auxiliary_signals": ["gone"]}, "signal-missing", "error"),
        ],
    )
    def test_that_fail(
        self, attributes: dict[str, Any], code: str, severity: str, scan: Scan
    ) -> None:
        def change(file: Any) -> None:
            data = group(file["entry"], "plot", "NXdata", signal="n", **attributes)
            data["n"], data["e"] = np.ones(4), np.arange(7)

        assert of(validate(scan(change)), "/entry/plot")[code].severity == severity

    def test_the_old_way_is_deprecated_and_its_absence_no_fault(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            data = group(file["entry"], "plot", "NXdata")
            data["n"] = np.ones(4)
            data["n"].attrs["signal"] = 1

        found = validate(scan(change)).findings
        assert [(f.code, f.severity, f.path) for f in found] == [
            ("deprecated", "warning", "/entry/plot/n")
        ]


class TestGroups:
    def test_the_best_of_several_is_held_against_the_rule(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            other = group(file["entry/instrument"], "a_source", "NXsource")
            other["probe"] = "x-ray"
            other["type"] = "unheard of"

        assert not validate(scan(change)).of("error")

    def test_a_subentry_has_a_definition_of_its_own(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            inner = group(file["entry"], "fluorescence", "NXsubentry")
            inner["definition"] = "NXfluo"

        report = validate(scan(change))
        assert report.definitions == ("NXtomo v2026.01", "NXfluo v2026.01")
        assert "group-missing" in of(report, "/entry/fluorescence")

    def test_several_definitions_in_one_entry(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            del file["entry/definition"]
            file["entry/definition"] = [b"NXtomo", b"NXsas"]

        report = validate(scan(change))
        assert report.definitions == ("NXtomo v2026.01", "NXsas v2026.01")

    @pytest.mark.parametrize(
        ("nx_class", "code"), [("NXoff_geometry", None), ("NXdata", "class-wrong")]
    )
    def test_a_choice(self, nx_class: str, code: str | None, scan: Scan, tmp_path: Path) -> None:
        inner = '<group type="NXentry"><field name="definition"/><choice name="shape">'
        inner += '<group type="NXoff_geometry"/><group type="NXcylindrical_geometry"/></choice>'
        head = '<definition xmlns="x" name="NXmine" category="application" type="group">'
        (tmp_path / "NXmine.nxdl.xml").write_text(f"{head}{inner}</group></definition>", "utf-8")

        def change(file: Any) -> None:
            del file["entry/definition"]
            file["entry/definition"] = "NXmine"
            group(file["entry"], "shape", nx_class)

        errors = validate(scan(change), rules=load_with(tmp_path)).of("error")
        assert [error.code for error in errors] == ([code] if code else [])

    def test_a_group_may_be_reached_by_a_link(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            file.move(DETECTOR, "/detector_elsewhere")
            file["entry/instrument/detector"] = h5py.SoftLink("/detector_elsewhere")
            for place in ("data", "image_key"):
                file["/detector_elsewhere"][place].attrs["target"] = f"/detector_elsewhere/{place}"
                del file["entry/data"][place]
                file["entry/data"][place] = h5py.SoftLink(f"/detector_elsewhere/{place}")

        assert not validate(scan(change)).of("error")

    def test_a_collection_may_hold_anything(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            notes = group(file["entry"], "vendor", "NXcollection")
            notes.create_group("no class")["any name at all"] = "x"

        assert {f.severity for f in validate(scan(change)).findings} == {"note"}


class TestLinks:
    def test_a_copy_is_noted(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            del file["entry/data/image_key"]
            file["entry/data/image_key"] = np.zeros(6, dtype=int)

        found = of(validate(scan(change)), "/entry/data/image_key")
        assert found["link-copied"].severity == "note"

    def test_a_target_that_is_not_there(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            file[f"{DETECTOR}/image_key"].attrs["target"] = "/entry/elsewhere"

        found = of(validate(scan(change)), f"{DETECTOR}/image_key")
        assert found["target-missing"].severity == "warning"

    def test_a_link_that_is_asked_for(self, scan: Scan) -> None:
        def change(file: Any) -> None:
            del file["entry/data/image_key"]

        [error] = validate(scan(change)).of("error")
        assert (error.code, error.path) == ("link-missing", "/entry/data")

    def test_files_outside_the_allowed_folders_are_not_opened(
        self, scan: Scan, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        with h5py.File(tmp_path / "other" / "more.h5", "w") as file:
            file["x"] = 1.0

        def change(file: Any) -> None:
            file["entry/sample/x"] = h5py.ExternalLink("other/more.h5", "/x")

        path = scan(change)
        assert validate(path).is_valid
        (allowed := tmp_path / "allowed").mkdir()
        [broken] = validate(path, roots=[allowed]).of("broken")
        assert "outside the allowed folders" in broken.message

    def test_nobody_can_write_target_on_another_files_array(
        self, scan: Scan, tmp_path: Path
    ) -> None:
        with h5py.File(tmp_path / "raw.h5", "w") as file:
            file["frames"] = np.zeros((6, 4, 5), dtype="u2")

        def change(file: Any) -> None:
            del file[f"{DETECTOR}/data"]
            file[f"{DETECTOR}/data"] = h5py.ExternalLink("raw.h5", "/frames")

        assert validate(scan(change)).findings == ()
