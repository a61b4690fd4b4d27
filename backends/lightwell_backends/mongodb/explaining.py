"""What the server says of how it answers, in a few lines."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["steps_of"]


def steps_of(explained: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stages of the winning plan from the outermost in, with the indexes they use."""
    planner = explained.get("queryPlanner") or explained["stages"][0]["$cursor"]["queryPlanner"]
    plan = planner["winningPlan"]
    return tuple(_steps(plan.get("queryPlan", plan)))


def _steps(stage: Mapping[str, Any]) -> Iterator[str]:
    name = str(stage["stage"])
    index = stage.get("indexName")
    yield f"{name} {index} {_bounds(stage)}".rstrip() if index else name
    inner = stage.get("inputStages") or [stage[key] for key in ("inputStage",) if key in stage]
    for each in inner:
        yield from _steps(each)


def _bounds(stage: Mapping[str, Any]) -> str:
    bounds = stage.get("indexBounds", {})
    every = "[MinKey, MaxKey]", "[MaxKey, MinKey]"
    used = {k: v for k, v in bounds.items() if not set(v) <= set(every) and k != "$_path"}
    return ", ".join(f"{field} {' '.join(map(str, ranges))}" for field, ranges in used.items())
