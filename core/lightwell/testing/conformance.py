"""The whole conformance check of a plugin: its promises, and its recipes on simulated truth."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from lightwell.datasets import Dataset
from lightwell.errors import LightwellError
from lightwell.installation import Installation
from lightwell.plugins import Plugins
from lightwell.recipes import Recipe
from lightwell.session import Session
from lightwell.settings import Settings
from lightwell.steps import Input, MapStep, Tap
from lightwell.testing.importers import check_importer
from lightwell.testing.kernels import check_kernel_sources, check_pure, kernel_modules
from lightwell.testing.plugins import check_plugin
from lightwell.testing.steps import step_checks
from lightwell.users import local_user

__all__ = ["Check", "conformance"]

AGREEMENT = 1e-4
"""How far a result from tiles may be from one whole-array call, relative to its largest value."""

_SIGMAS = 4.0
_SLACK = 0.1


class Check(NamedTuple):
    """One thing that was looked at, and what came out."""

    what: str
    ok: bool
    answer: str


def conformance(module: ModuleType) -> Iterator[Check]:
    """Look at a plugin as its users will use it; nothing raises, every finding is an answer.

    The promises `check_plugin` holds; the source of the kernels beside the hook module; then, for
    every simulator with a recipe: its importer claims and describes the file and the description
    survives NeXus and the catalog; the recipe runs; its steps are pure and compile; its tiles
    agree with one whole-array call; its estimates find the truth; pictures render.
    """
    found: list[Plugins] = []

    def promises() -> str:
        found.append(check_plugin(module))
        return "kept"

    yield _looked("promises", promises)
    if not found:
        return
    kernels = kernel_modules(module)
    if kernels:
        yield _looked("kernels", lambda: check_kernel_sources(kernels))
    for simulator in found[0].simulators.values():
        if simulator.recipe is not None:
            with tempfile.TemporaryDirectory(prefix="lightwell-check-") as folder:
                yield from _on_truth(found[0], simulator, Path(folder), kernels)


def _looked(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, ok=True, answer=look())
    except (LightwellError, AssertionError) as error:
        return Check(what, ok=False, answer=str(error))
    except Exception as error:
        return Check(what, ok=False, answer=f"{type(error).__name__}: {error}")


def _on_truth(
    plugins: Plugins, simulator: Any, folder: Path, kernels: list[ModuleType]
) -> Iterator[Check]:
    session = Session(Installation(Settings(home=folder / "home"), plugins), local_user())
    name = simulator.name
    kept: dict[str, Any] = {}

    def simulate() -> str:
        kept["simulated"] = simulator.run(folder / f"{name}.h5", {})
        return f"{kept['simulated'].path.stat().st_size / 1e6:.1f} MB"

    def describe() -> str:
        from lightwell.files import File
        from lightwell.session.ingest import choose_importer

        path = kept["simulated"].path
        importer = choose_importer(session.installation, File(path))
        entry = check_importer(importer, path)
        return f"{importer.name} says {entry.definition_name}"

    def run() -> str:
        [kept["raw"]] = session.ingest(kept["simulated"].path)
        kept["result"] = session.run(simulator.recipe, kept["raw"]).result()
        return str(kept["result"].pid)

    yield _looked(f"{name}: simulates", simulate)
    yield _looked(f"{name}: importer", describe)
    yield _looked(f"{name}: runs {simulator.recipe}", run)
    if "result" not in kept:
        return
    result, truth = kept["result"], kept["simulated"].truth
    recipe = plugins.recipes[simulator.recipe]
    chain = _Chain(session, recipe, kept["raw"], result)
    yield _looked(f"{name}: pure", lambda: chain.pure(kernels))
    yield _looked(f"{name}: tiles", chain.agreement)
    yield from _steps(session, recipe, kept["raw"], result, folder / "steps")
    yield _looked(f"{name}: truth", lambda: _near(simulator, session, result, truth))
    yield _looked(f"{name}: pictures", lambda: _pictures(session, plugins, recipe, result))


def _steps(
    session: Session, recipe: Recipe[Any, Any], raw: Dataset, result: Dataset, folder: Path
) -> Iterator[Check]:
    """Each step by itself: the same bits by all means, and nearly those of a whole call."""
    values = {n: facts["value"] for n, facts in result.job["parameters"].items()}
    try:
        spec = session.plan(recipe, raw, {n: v for n, v in values.items() if v is not None}).spec
        for found in step_checks(spec, spec.settings, folder):
            what = f"{recipe.name}: {found.step} along {found.axis}"
            yield Check(what, ok=found.problem is None, answer=found.answer)
    except (LightwellError, AssertionError) as error:
        yield Check(f"{recipe.name}: steps", ok=False, answer=str(error))


class _Chain:
    """The map steps of a recipe, applied to the whole data at once."""

    def __init__(
        self, session: Session, recipe: Recipe[Any, Any], raw: Dataset, result: Dataset
    ) -> None:
        self._session, self._recipe, self._raw, self._result = session, recipe, raw, result

    def pure(self, kernels: list[ModuleType]) -> str:
        """Each step twice on arrays nobody may write to.

        Errors: AssertionError naming the step.
        """
        count = 0
        for step, product, own in self._stages():
            check_pure(step, product, own, kernels)
            count += 1
        return f"{count} steps"

    def agreement(self) -> str:
        """How far the result from tiles is from one whole-array call.

        Errors: AssertionError where that is further than rounding explains.
        """
        import numpy as np

        product: Any = None
        for step, given, own in self._stages():
            product = step(given, **own)
        if any(not isinstance(node, (Input, MapStep, Tap)) for node in self._recipe.nodes()):
            return "not compared: the recipe has other steps than map steps"
        whole = np.asarray(next(iter(product.arrays().values())))
        tiled = self._session.array(self._result).read()
        # Where both have a gap they agree; where one has, they are infinitely far apart.
        whole, tiled = (np.where(np.isnan(a), np.inf, a) for a in (whole, tiled))
        off = np.where(whole == tiled, 0.0, np.abs(whole - tiled))
        largest = float(np.abs(np.where(np.isinf(whole), 0.0, whole)).max(initial=1e-30))
        difference = float(off.max(initial=0.0)) / largest
        if difference > AGREEMENT:
            raise AssertionError(
                f"tiles differ from one whole-array call by {difference:.1e} of the largest value"
            )
        return f"within {difference:.1e} of one whole-array call"

    def _stages(self) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
        """Each map step up to the first step of another kind, its product and its parameters."""
        values = {n: facts["value"] for n, facts in self._result.job["parameters"].items()}
        known = {n: v for n, v in values.items() if v is not None}
        plan = self._session.plan(self._recipe, self._raw, known)
        product: Any = None
        position = -1
        for node in self._recipe.nodes():
            if isinstance(node, Input):
                product = plan.spec.sources[node.role].read()
                continue
            position += 1
            if isinstance(node, MapStep):
                slots = self._recipe.slots.items()
                own = {s.parameter.name: values[a] for a, s in slots if s.step == position}
                yield node, product, own
                product = node(product, **own)
            elif not isinstance(node, Tap):
                return


def _near(simulator: Any, session: Session, result: Dataset, truth: Any) -> str:
    words = []
    for name, estimate in result.job["estimates"].items():
        if isinstance(truth.get(name), float):
            error = abs(estimate["value"] - truth[name])
            if error > _SIGMAS * (estimate["sigma"] or 0.0) + _SLACK:
                raise AssertionError(f"{name} is {estimate['value']}, the truth {truth[name]}")
            words.append(f"{name} off by {error:.3f}")
    if simulator.judge is not None:
        error = simulator.judge(session.array(result), truth)
        words.append(f"{simulator.measure} {error:.4f}")
    return ", ".join(words) or "nothing to compare"


def _pictures(session: Session, plugins: Plugins, recipe: Recipe[Any, Any], result: Dataset) -> str:
    drawn = session.report(result).get("previews", [])
    if plugins.previews and not drawn:
        raise AssertionError(f"no picture of {recipe.name} was drawn")
    return f"{len(drawn)} drawn"
