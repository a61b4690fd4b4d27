"""The rules we ship: derived, not written; compact, and read back as they were."""

import json
import runpy
from pathlib import Path

import pytest

from lightwell.errors import InputError, UnknownName
from lightwell.nexus.validation import RuleSet, load_rules, rules_from_nxdl
from lightwell.nexus.validation.rules import (
    AttributeRule,
    ChoiceRule,
    Definition,
    FieldRule,
    GroupRule,
    LinkRule,
    fits_name,
)

ROOT = Path(__file__).parents[4]
RULES = ROOT / "core" / "lightwell" / "nexus" / "rules"
HEAD = '<definition xmlns="http://definition.nexusformat.org/nxdl/3.1" type="group" '


def nxdl(folder: Path, name: str, inner: str, category: str = "base", more: str = "") -> None:
    text = f'{HEAD} name="{name}" category="{category}" {more}>{inner}</definition>'
    (folder / f"{name}.nxdl.xml").write_text(text, "utf-8")


def test_what_is_shipped_is_what_the_script_derives(shared_data: Path) -> None:
    folder = shared_data / "nexus" / "nxdl"
    if not folder.is_dir():
        pytest.skip("no NXDL files in the shared data")
    script = runpy.run_path(str(ROOT / "tools" / "derive_nexus_rules.py"))
    derived = script["text_of"](rules_from_nxdl(folder, "v2026.01").to_compact())
    shipped = (RULES / "nexus-v2026.01.json").read_text("utf-8")
    assert derived == shipped, "run tools/derive_nexus_rules.py; nobody edits the rules by hand"


@pytest.mark.parametrize("name", ["nexus-v2026.01", "nxxas-proposal"])
def test_rules_survive_their_compact_form(name: str) -> None:
    rules = load_rules(name)
    again = RuleSet.from_compact(json.loads(json.dumps(rules.to_compact())))
    assert again == rules
    assert again.to_compact() == rules.to_compact()


def test_every_kind_of_rule_survives() -> None:
    attribute = AttributeRule("signal", least=1, values=("I", "T"), open=True)
    field = FieldRule("data", "NX_INT", rank="2", dimensions=("n", "2"), attributes=(attribute,))
    group = GroupRule("NXdata", "data", fields=(field,), links=(LinkRule("x", "/NXentry/x"),))
    choice = ChoiceRule("shape", (group, GroupRule("NXlog")), least=1)
    definition = Definition("NXa", "base", choices=(choice,), groups=(group,), open_to=("fields",))
    assert Definition.from_compact(json.loads(json.dumps(definition.to_compact()))) == definition


def test_no_documentation_is_shipped() -> None:
    for path in RULES.glob("*.json"):
        text = path.read_text("utf-8")
        assert '"doc"' not in text
        assert len(text) < 200_000


def test_occurrence_depends_on_the_category(tmp_path: Path) -> None:
    inner = '<field name="a"/><field name="b" optional="true"/><field name="c" minOccurs="0"/>'
    nxdl(tmp_path, "NXbase", inner + '<field name="d" minOccurs="1"/>')
    nxdl(tmp_path, "NXapp", f'<group type="NXentry">{inner}</group>', "application")
    rules = rules_from_nxdl(tmp_path)
    base, app = rules.base("NXbase"), rules.application("NXapp")
    assert app is not None
    assert [field.least for field in app.fields] == [1, 0, 0]
    found = [base.field(name) for name in "abcd"]
    assert [field.least for field in found if field] == [0, 0, 0, 1]


def test_a_definition_adds_to_the_one_it_extends(tmp_path: Path) -> None:
    parent = (
        '<field name="title"/><group type="NXsample" name="sample"><field name="name"/></group>'
    )
    child = '<field name="title" minOccurs="0"/><group type="NXsample" name="sample">'
    child += '<field name="mass"/></group>'
    nxdl(tmp_path, "NXone", f'<group type="NXentry">{parent}</group>', "application")
    nxdl(
        tmp_path,
        "NXtwo",
        f'<group type="NXentry">{child}</group>',
        "application",
        'extends="NXone"',
    )
    rule = rules_from_nxdl(tmp_path).application("NXtwo")
    assert rule is not None
    assert [(field.name, field.least) for field in rule.fields] == [("title", 0)]
    [sample] = rule.groups
    assert [field.name for field in sample.fields] == ["name", "mass"]


def test_definitions_that_extend_each_other_end(tmp_path: Path) -> None:
    nxdl(tmp_path, "NXone", '<field name="a"/>', more='extends="NXtwo"')
    nxdl(tmp_path, "NXtwo", '<field name="b"/>', more='extends="NXone"')
    assert rules_from_nxdl(tmp_path).base("NXone").field("b")


def test_a_set_says_its_version(tmp_path: Path) -> None:
    nxdl(tmp_path, "NXone", "")
    assert rules_from_nxdl(tmp_path).version == tmp_path.name
    (tmp_path / "NXDL_VERSION").write_text("v2027.02\n", "utf-8")
    assert rules_from_nxdl(tmp_path).version == "v2027.02"


@pytest.mark.parametrize(
    "text",
    [
        "<definition",
        "<html/>",
        '<definition name="NXa"><field name="x" minOccurs="many"/></definition>',
        "",
    ],
)
def test_bad_nxdl_is_the_users_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "NXa.nxdl.xml").write_text(text, "utf-8")
    with pytest.raises(InputError, match="NXDL"):
        rules_from_nxdl(tmp_path)


def test_a_folder_without_nxdl_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no NXDL files"):
        rules_from_nxdl(tmp_path / "nowhere")


@pytest.mark.parametrize("data", [{}, {"form": 99}, {"form": 1, "definitions": [{"colour": "x"}]}])
def test_what_is_no_set_of_rules_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(InputError):
        RuleSet.from_compact(data)


def test_unknown_rules_are_named() -> None:
    with pytest.raises(UnknownName, match="nexus-v1999"):
        load_rules("nexus-v1999")


@pytest.mark.parametrize(
    ("name", "kind", "given", "fits"),
    [
        ("data", "specified", "data", True),
        ("data", "specified", "data2", False),
        ("DATA", "any", "counts", True),
        ("FIELDNAME_errors", "partial", "counts_errors", True),
        ("FIELDNAME_errors", "partial", "counts_error", False),
        ("identifierNAME", "partial", "identifier_doi", True),
        ("AXISNAME_increment_set", "partial", "x_increment_set", True),
        ("Q", "specified", "I", False),
    ],
)
def test_names_and_patterns(name: str, kind: str, given: str, fits: bool) -> None:
    assert fits_name(FieldRule(name, name_type=kind), given) is fits


def test_a_name_goes_before_a_pattern() -> None:
    data = load_rules("nexus-v2026.01").base("NXdata")
    assert [rule.name for n in ("x", "x_errors", "counts") if (rule := data.field(n))] == [
        "x",
        "FIELDNAME_errors",
        "AXISNAME",
    ]


def test_a_class_whose_parent_is_not_here_is_incomplete() -> None:
    rules = load_rules("nexus-v2026.01")
    assert rules.base("NXentry").complete
    assert not rules.base("NXdetector").complete
    assert rules.knows("NXshape")
    assert not rules.is_base("NXshape")
