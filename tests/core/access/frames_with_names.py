"""Frames for the datasets of the property test, and what a person may find of them."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lightwell.datasets import Dataset
from lightwell.errors import UnknownName
from lightwell.frame_index import FrameIndex
from lightwell.frame_index.summary import frames_summary
from lightwell.session import Session
from lightwell.session.frames import channel_facts

__all__ = ["check_frames", "with_frames"]

COUNT = 4


def with_frames(index: FrameIndex, dataset: Dataset, number: int) -> Dataset:
    """Index frames of a dataset; some have a channel that no other dataset has."""
    channels: dict[tuple[str, str], Any] = {
        ("ring_current", "mA"): np.arange(COUNT) + float(number)
    }
    if number % 3 == 0:
        channels[own_channel(number), ""] = np.ones(COUNT)
    return replace(dataset, frames=frames_summary(index.add(dataset.pid, channels)))


def own_channel(number: int) -> str:
    return f"own_{number}"


def check_frames(session: Session, numbers: dict[str, int], shown: set[str]) -> None:
    """Frames are found in what is shown; of nothing else channels are known or blocks counted.

    numbers : of all datasets with frames; shown : those of them that may be seen.
    """
    seen = [numbers[pid] for pid in shown]
    own = Counter(own_channel(number) for number in seen if number % 3 == 0)
    told = {each["name"]: each["datasets"] for each in channel_facts(session)}
    assert told == Counter({"ring_current": len(shown)} if shown else {}) + own
    if not shown:
        assert session.frames("ring_current > 0").frames == 0
        return
    limit = sorted(seen)[len(seen) // 2] + 1.5
    found = session.frames(f"ring_current > {limit} mA")
    hits = {pid: sum(numbers[pid] + n > limit for n in range(COUNT)) for pid in shown}
    counts = {pid: len(runs) for pid, runs in found.parts.items()}
    assert counts == {pid: count for pid, count in hits.items() if count}
    assert found.looked["datasets"] == len(shown)
    assert found.looked["blocks"] <= len(shown)
    for number in sorted(set(numbers.values()) - set(seen))[:2]:
        with pytest.raises(UnknownName):
            session.frames(f"{own_channel(number)} > 0")
