"""Steps that break what they declare, for the kit to find."""

import chains
import numpy as np

from lightwell import Input, map_step

calls = [0]


@map_step(over={"row"})
def centred(sinos: chains.Sinograms) -> chains.Sinograms:
    """Subtract the mean over all rows that happen to be there."""
    return chains.Sinograms(sinos.line - sinos.line.mean(axis=1, keepdims=True), sinos.angles)


@map_step(over={"row"}, host=True)
def counted(sinos: chains.Sinograms) -> chains.Sinograms:
    """Add how often it was called before in this process."""
    calls[0] += 1
    return chains.Sinograms.of(line=np.asarray(sinos.line) + calls[0], angles=sinos.angles)


@map_step(over={"row"})
def levelled(sinos: chains.Sinograms, background: chains.Background) -> chains.Sinograms:
    """Subtract what the rows that happen to be there have as background on average."""
    level = background.mean.mean(axis=0)
    return chains.Sinograms(sinos.line - level, sinos.angles)


blinded = (
    Input("data", chains.Scan)
    | chains.normalise
    | chains.subtract.using(Input("dark", chains.Sinograms) | chains.average)
    | levelled.using(Input("dark", chains.Sinograms) | chains.average)
).named("test.blinded")

broken = (Input("data", chains.Scan) | chains.normalise | centred | counted).named("test.broken")
