"""Recipes: merged parameters, their addresses, what fills them, and the chain as data."""

import json
import pickle
from typing import Annotated, Any

import chains
import pytest
import stranger_chains
from chains import Scan, Sinograms, Volume

from lightwell import From, Input, Unit, map_step
from lightwell.errors import JunctionError, LightwellError, MissingMetadata, ParameterError
from lightwell.recipes import Recipe, step_of


@map_step(over={"row"})
def measured(
    sinos: Sinograms,
    *,
    energy: Annotated[float, Unit("keV"), From("canonical.energy")],
    weight: Annotated[float, From("canonical.exposure_time")] = 7.0,
) -> Sinograms:
    """Take what the entry knows."""
    return sinos


softly = Input("data", Scan) | chains.normalise | chains.soften
thrice = (softly | chains.soften | chains.soften).named("thrice")
informed = (softly | measured).named("informed")


def nothing(path: str) -> None:
    return None


def values(recipe: Recipe[Any, Any], given: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {n: s.value for n, s in recipe.settings(given, nothing, **options).items()}


def test_the_merged_parameters() -> None:
    assert list(chains.labels.slots) == [
        "floor",
        "search",
        "weight",
        "axis",
        "kind",
        "share",
        "threshold",
    ]
    assert [chains.labels.slots[n].step for n in ("floor", "search", "axis", "threshold")] == [
        0,
        1,
        3,
        5,
    ]
    assert [step.name for step in chains.cleaned.steps()] == ["normalise", "average", "subtract"]
    assert dict(chains.cleaned.inputs()) == {"data": Scan, "dark": Sinograms}
    assert chains.labels.summary == (
        "normalise → find_axis → soften → project → half_height → segment"
    )


def test_one_name_in_several_steps() -> None:
    assert list(thrice.slots) == ["floor", "weight", "soften.weight", "soften_3.weight"]
    given = {"weight": 1, "soften.weight": 2, "soften_3.weight": 3}
    assert values(thrice, given) == {"floor": 1e-3, **given}


def test_step_and_name_address_any_parameter() -> None:
    assert values(chains.volume, {"normalise.floor": 0.5})["floor"] == 0.5
    with pytest.raises(ParameterError, match=r"'normalise.floor' is given twice, once as 'floor'"):
        values(chains.volume, {"floor": 0.5, "normalise.floor": 0.5})


def test_precedence() -> None:
    lookup = {"canonical.energy": 25_000.0}.get

    def found(given: dict[str, Any], recipe: Recipe[Any, Any]) -> Any:
        return {n: (s.value, s.origin) for n, s in recipe.settings(given, lookup).items()}

    # The entry is in eV, the parameter in keV.
    assert found({}, informed)["energy"] == (25.0, "entry")
    assert found({"energy": 8}, informed)["energy"] == (8.0, "given")
    assert found({}, informed)["measured.weight"] == (7.0, "default")
    bound = (softly | measured.bind(energy=9)).named("bound")
    assert found({}, bound)["energy"] == (9.0, "recipe")
    assert found({}, chains.volume)["axis"] == ("auto", "estimate")
    assert found({"axis": "auto"}, chains.volume)["axis"] == ("auto", "estimate")
    assert found({"axis": 3}, chains.volume)["axis"] == (3.0, "given")
    tapped = Input("data", Scan) | chains.normalise | chains.find_axis.into("axis")
    both = (tapped | chains.project.bind(axis=4.0)).named("both")
    assert found({}, both)["axis"] == (4.0, "recipe")
    assert found({"axis": "auto"}, both)["axis"] == ("auto", "estimate")
    assert both.json_schema()["properties"]["axis"]["default"] == 4.0


def test_text_and_python() -> None:
    assert values(chains.volume, {"axis": "12.5"}, text=True)["axis"] == 12.5
    assert values(informed, {"energy": "9000 eV"}, text=True)["energy"] == pytest.approx(9.0)
    assert values(chains.relaxed, {"iterations": "7"}, text=True)["iterations"] == 7
    with pytest.raises(ParameterError, match=r"floor = '0.5' does not fit.*test.volume"):
        values(chains.volume, {"floor": "0.5"})
    with pytest.raises(ParameterError, match=r"kind = 'round' does not fit.*'flat' or 'cosine'"):
        values(chains.volume, {"kind": "round"}, text=True)


def test_integers_for_floats_become_floats() -> None:
    found = values(chains.volume, {"axis": 20, "floor": 1})
    assert {type(found[name]) for name in ("axis", "floor")} == {float}


def test_what_is_missing_or_unknown() -> None:
    with pytest.raises(MissingMetadata) as missing:
        values(informed, {})
    assert "measured needs energy, and the entry has no canonical.energy" in str(missing.value)
    assert "--set energy=… (number in keV)" in str(missing.value)
    bare = (softly | chains.project).named("bare")
    with pytest.raises(ParameterError, match="project needs axis"):
        values(bare, {})
    with pytest.raises(ParameterError, match=r"no parameter 'axes'. Did you mean 'axis'"):
        values(chains.volume, {"axes": 1})


def test_the_schema() -> None:
    schema = chains.labels.json_schema()
    properties = schema["properties"]
    assert json.loads(json.dumps(schema)) == schema
    assert schema["required"] == []
    assert schema["additionalProperties"] is False
    assert properties["axis"] == {
        "anyOf": [{"type": "number", "unit": "pixel"}, {"const": "auto"}],
        "estimated_by": "find_axis",
        "default": "auto",
    }
    assert properties["floor"] == {"type": "number", "default": 1e-3}
    assert properties["kind"]["enum"] == ["flat", "cosine"]
    assert properties["kind"]["default"] == "cosine"
    assert informed.json_schema()["properties"]["energy"] == {
        "type": "number",
        "unit": "keV",
        "from": "canonical.energy",
    }
    assert (softly | chains.project).named("bare").json_schema()["required"] == ["axis"]


start: Any = Input("data", Scan) | chains.normalise
tap: Any = chains.find_axis.into("axis")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: start | chains.find_axis.into("axes") | chains.project, "no later step has"),
        (lambda: chains.normalise | chains.soften, "begins with an input, not with normalise"),
        (lambda: start | tap | chains.project | tap, "takes Sinograms, but project gives"),
        (lambda: start | tap | tap | chains.project, "two estimates go into 'axis'"),
        (
            lambda: start | chains.find_axis.into("weight") | chains.soften | chains.soften,
            "the estimate of 'weight' could mean that of several steps: soften, soften",
        ),
        (
            lambda: start | chains.soften | chains.find_axis.into("weight") | chains.soften,
            "could mean that of several steps",
        ),
        (lambda: chains.volume | chains.half_height, "ends in a product"),
        (
            lambda: start | chains.subtract.using(Input("data", Sinograms) | chains.average),
            "two inputs are called 'data'",
        ),
    ],
)
def test_recipes_that_cannot_work_are_refused_when_built(build: Any, message: str) -> None:
    with pytest.raises((LightwellError, JunctionError), match=message):
        build().named("wrong")


def test_recipes_chain() -> None:
    second = (Input("volume", Volume) | chains.segment).named("second")
    joined = (chains.volume | second).named("joined")
    assert list(joined.inputs()) == ["data"]
    assert joined.gives is chains.Labels
    assert repr(joined).startswith("<recipe joined: normalise → ")


def test_recipes_pickle_and_keep_their_digest() -> None:
    for recipe in (chains.labels, chains.cleaned, stranger_chains.normed):
        back = pickle.loads(pickle.dumps(recipe))  # noqa: S301
        assert back.to_json() == recipe.to_json()
        assert back.digest() == recipe.digest()
        assert list(back.slots) == list(recipe.slots)


def test_the_chain_as_data_tells_recipes_apart() -> None:
    bound = (softly | chains.soften.bind(weight=0.5)).named("n")
    other = (softly | chains.soften.bind(weight=0.6)).named("n")
    assert bound.digest() != other.digest()
    assert json.loads(json.dumps(chains.cleaned.to_json()))["nodes"][2]["using"][0] == {
        "input": "dark",
        "product": "chains:Sinograms",
    }
    assert chains.labels.to_json()["nodes"][2] == {
        "kind": "estimate",
        "step": "chains:find_axis",
        "bind": {},
        "into": "axis",
    }


def test_the_step_of_a_stage() -> None:
    nodes = chains.cleaned.nodes()
    assert step_of(nodes[0]) is None
    assert [step.name for node in nodes if (step := step_of(node))] == ["normalise", "subtract"]
