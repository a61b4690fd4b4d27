"""The four kinds of step: called in a notebook, read from a signature, refused when wrong."""

import pickle
from typing import Annotated, Any, NamedTuple

import chains
import jax.numpy as jnp
import numpy as np
import pytest
import stranger_chains
from chains import Background, Scan, Sinograms, Volume

from lightwell import (
    Estimate,
    Fold,
    Input,
    Iteration,
    State,
    Unit,
    estimate_step,
    fold_step,
    iterate_step,
    map_step,
)
from lightwell.errors import JunctionError, LightwellError, ParameterError
from lightwell.steps import MapStep, MapStep2
from lightwell.steps.calls import call_map, compiled_map
from lightwell.steps.states import register_states


def scan() -> Scan:
    return Scan.of(
        frames=np.full((3, 4, 8), 6.0, np.float32),
        gain=np.full((4, 8), 2.0, np.float32),
        angles=np.linspace(0, 180, 3),
    )


def sinos(value: float = 1.0) -> Sinograms:
    return Sinograms.of(line=np.full((3, 4, 8), value, np.float32), angles=np.zeros(3))


def test_every_kind_can_be_called_in_a_notebook() -> None:
    lines = chains.normalise(scan())
    assert float(lines.line[0, 0, 0]) == 3.0
    assert chains.project(lines, axis=3).data.shape == (4, 8, 8)
    background = chains.average(lines)
    assert float(background.mean[1, 2]) == 3.0
    assert float(chains.subtract(lines, background, scale=0.5).line[0, 0, 0]) == 1.5
    assert chains.find_axis(lines, search=1) == Estimate(3.5, 0.1)
    assert chains.half_height(Volume.of(data=np.ones((2, 2, 2)))).value == 0.5
    relaxed = chains.relax(Volume.of(data=np.ones((2, 2, 2), np.float32)), iterations=30)
    assert float(abs(relaxed.data - 1).max()) < 0.1


def test_a_step_says_what_it_is() -> None:
    step = chains.project
    assert isinstance(step, MapStep)
    assert isinstance(chains.subtract, MapStep2)
    assert step.kind == "map"
    assert step.reference == "chains:project"
    assert step.label == step.name == step.__name__ == "project"
    assert step.summary.startswith("An outer product with an FFT in it")
    assert list(step.parameters) == ["axis", "kind"]
    assert step.parameters["axis"].unit == "pixel"
    assert (step.takes, step.gives) == (Sinograms, Volume)
    assert repr(step) == "<map step project>"


def test_bound_values_are_defaults_that_a_call_may_override() -> None:
    bound = chains.normalise.bind(floor=4)
    assert float(bound(scan()).line.min()) == 4.0
    assert float(bound(scan(), floor=5.0).line.min()) == 5.0
    assert float(chains.normalise(scan()).line.min()) == 3.0
    assert bound.bind().bound == {"floor": 4.0}
    assert type(bound.bound["floor"]) is float


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chains.normalise.bind(floors=1.0), "no parameter 'floors'. Did you mean 'floor'"),
        (lambda: chains.normalise.bind(floor="x"), "floor = 'x' does not fit"),
        (lambda: chains.project.bind(kind="square"), "has to be: 'flat' or 'cosine'"),
        (lambda: chains.project(sinos()), "project needs axis = … .number in pixel"),  # type: ignore[call-arg]
        (lambda: chains.normalise(scan(), floors=1.0), "no parameter 'floors'"),  # type: ignore[call-arg]
        (lambda: chains.normalise(scan(), floor=True), "floor = True does not fit"),
    ],
)
def test_wrong_values_are_refused_where_they_are_given(call: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call()


def test_steps_pickle_by_name() -> None:
    back = pickle.loads(pickle.dumps(chains.normalise.bind(floor=0.5)))  # noqa: S301
    assert back.function is chains.normalise.function
    assert back.bound == {"floor": 0.5}
    assert pickle.loads(pickle.dumps(chains.average)).function is chains.average.function  # noqa: S301


def positional(sinos: Sinograms, sigma: float) -> Sinograms:
    return sinos


def no_product(*, sigma: float = 1.0) -> Sinograms:
    raise AssertionError


def no_return(sinos: Sinograms):  # type: ignore[no-untyped-def]
    return sinos


def three(a: Sinograms, b: Background, c: Volume) -> Sinograms:
    return a


def gives_number(sinos: Sinograms) -> float:
    return 1.0


def identity(sinos: Sinograms, *, weight: float = 1.0) -> Sinograms:
    return sinos


def planned(sinos: Sinograms, plan: np.ndarray, *, weight: float = 1.0) -> Sinograms:
    return sinos


def foreign_plan(like: Sinograms, *, height: float) -> np.ndarray:
    return np.zeros(1)


def bare_fold(like: Sinograms) -> Sinograms:
    return like


def endless(like: Sinograms) -> Iteration[Any, Sinograms, Sinograms]:
    raise AssertionError


def guess(like: Sinograms) -> float:
    return 1.0


def estimate(like: Sinograms) -> Estimate[float]:
    return Estimate(1.0)


def folding(like: Sinograms) -> Fold[Any, Sinograms, Background]:
    raise AssertionError


def iterating(like: Sinograms, *, iterations: int = 3) -> Iteration[Any, Sinograms, Sinograms]:
    raise AssertionError


@pytest.mark.parametrize(
    ("decorate", "message"),
    [
        (lambda: map_step(over={"row"})(positional), "'sigma' is positional but no Product"),
        (lambda: map_step(over={"row"})(no_product), "first argument has to be a Product"),
        (lambda: map_step(over={"row"})(no_return), "the return annotation is missing"),
        (lambda: map_step(over={"row"})(three), "takes 3 products, a map step takes one or two"),
        (lambda: map_step(over={"row"})(gives_number), "a map step returns a Product"),
        (lambda: map_step(over={"rows"})(identity), "Sinograms has no axis .'rows'"),
        (lambda: map_step(over="row")(identity), "over='row' names no set of axes"),
        (lambda: map_step(over=set())(identity), "names no set of axes"),
        (lambda: map_step(over={"row"}, halo={"x": 1})(identity), "halo along .'x'., which is not"),
        (lambda: map_step(over={"row"}, halo={"row": -1})(identity), "has to be 0 or more"),
        (lambda: map_step(over={"row"}, tile={"row": 0})(identity), "has to be 1 or more"),
        (lambda: map_step(over={"row"}, tile={"x": 4})(identity), "tile along .'x'., which is not"),
        (lambda: map_step(over={"row"}, plan=foreign_plan)(planned), "the step has not: .'height'"),
        (lambda: fold_step(over={"row"})(bare_fold), "return annotation has to be Fold"),
        (lambda: fold_step(over="row")(folding), "names no set of axes"),
        (lambda: fold_step(over={"z"})(folding), "no axis .'z'"),
        (lambda: iterate_step()(endless), "no parameter 'iterations'"),
        (lambda: iterate_step(checkpoint=0)(iterating), "checkpoint=0 has to be 1 or more"),
        (lambda: estimate_step(sample={"row": 5})(guess), "has to be Estimate"),
        (lambda: estimate_step(sample={"row": 0})(estimate), "has to ask for a point"),
        (lambda: estimate_step(sample={"row": 1, "x": 1})(estimate), "has to name one axis"),
        (lambda: estimate_step(sample={"z": 1})(estimate), "no axis .'z'"),
    ],
)
def test_decorators_refuse_what_cannot_work(decorate: Any, message: str) -> None:
    with pytest.raises(LightwellError, match=message):
        decorate()


def test_annotations_as_text_are_understood() -> None:
    def subtract(a: "Sinograms", b: "Background", *, scale: "float" = 1.0) -> "Sinograms":
        return a

    assert isinstance(map_step(over={"row"})(subtract), MapStep2)


def test_an_estimate_alone_goes_into_a_parameter() -> None:
    assert chains.half_height.into("threshold").label == "half_height.into('threshold')"
    average: Any = chains.average
    with pytest.raises(LightwellError, match="average gives Background, no Estimate"):
        average.into("scale")


class Table(NamedTuple):
    """A plan with an array and a number."""

    values: Any
    factor: Any


def table_plan(like: Sinograms, *, power: int) -> Table:
    return Table(np.ones(like.line.shape[2], np.float32), power)


@map_step(over={"row"}, plan=table_plan)
def tabulated(sinos: Sinograms, plan: Table, *, power: int = 1) -> Sinograms:
    return Sinograms(sinos.line * plan.values * plan.factor, sinos.angles)


def test_one_program_serves_all_values_of_a_float() -> None:
    lines = sinos()
    first, _ = compiled_map(chains.soften, lines, None, None, {"weight": 0.1})
    second, _ = compiled_map(chains.soften, lines, None, None, {"weight": 0.7})
    assert first is second
    one, _ = compiled_map(tabulated, lines, None, Table(np.ones(8), 1), {"power": 1})
    two, _ = compiled_map(tabulated, lines, None, Table(np.ones(8), 2), {"power": 2})
    assert one is not two


def test_equal_constants_of_other_types_make_other_programs() -> None:
    whole = call_map(tabulated, sinos(0.5), None, Table(np.ones(8, np.int8), 1), {"power": 1})
    lines = Sinograms.of(line=np.ones((3, 4, 8), np.int8), angles=np.zeros(3))
    integer = call_map(tabulated, lines, None, Table(np.ones(8, np.int8), 1), {"power": 1})
    floating = call_map(tabulated, lines, None, Table(np.ones(8, np.int8), 1.0), {"power": 1})
    assert whole.line.dtype == jnp.float32
    assert integer.line.dtype == jnp.int8
    assert floating.line.dtype == jnp.float32


def test_values_that_cannot_be_compiled_in_are_named() -> None:
    with pytest.raises(LightwellError, match="parameter 'power' is a list, which cannot be"):
        call_map(tabulated, sinos(), None, Table(np.ones(8), 1), {"power": [1, 2]})


def test_states_are_known_to_jax_when_it_is_asked() -> None:
    import jax

    class Count(State):
        """Names that a NamedTuple may not use."""

        count: Any
        index: Any

    register_states()
    doubled = jax.tree_util.tree_map(lambda a: 2 * a, Count(1, 2))
    assert (doubled.count, doubled.index) == (2, 4)


def test_products_may_have_units_and_parameters_of_other_units() -> None:
    def length(sinos: Sinograms, *, size: Annotated[float, Unit("m")] = 1e-6) -> Sinograms:
        return sinos

    assert map_step(over={"row"})(length).bind(size="2 um").bound["size"] == pytest.approx(2e-6)


def test_a_junction_that_does_not_fit_names_both_sides() -> None:
    project: Any = chains.project
    with pytest.raises(JunctionError, match="normalise takes Scan, but project gives Volume"):
        project | chains.normalise
    with pytest.raises(JunctionError, match="subtract still needs 'background'"):
        chains.normalise | chains.subtract  # type: ignore[operator]
    using: Any = chains.subtract.using
    with pytest.raises(JunctionError, match="subtract takes Background as 'background', but input"):
        using(Input("dark", Volume))
    with pytest.raises(TypeError):
        project | 3


def test_a_subclass_fits_where_its_base_is_taken() -> None:
    class Better(Sinograms):
        """Sinograms of another kind."""

    assert (Input("data", Better) | chains.soften).gives is Sinograms
    assert (Input("x", Scan) | chains.normalise | stranger_chains.scale).takes is Scan
