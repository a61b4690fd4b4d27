"""The digest of a result as its files hold it now, to be compared with the recorded one."""

from typing import Any

from lightwell.engines.segments import SegmentFolder, product_digest, segment_array, tile_digest
from lightwell.engines.spec import Output, chosen_points
from lightwell.engines.sweeps import sweep_digest
from lightwell.products import Product

__all__ = ["stored_digest"]


def stored_digest(output: Output) -> str:
    """Read every stored number of a result, a tile at a time, and digest them.

    Errors: DamagedResult where a segment is missing; UnreadableFile where one is damaged.
    """
    if output.sweep is not None:
        return sweep_digest(output.sweep, [stored_digest(part) for part in output.parts()])
    wanted = sorted({point // output.tile for point in output.points})
    dims = output.product.dims()
    digests: dict[int, str] = {}
    whole: dict[str, Any] = {}
    for segment in SegmentFolder(output.folder).holding(wanted):
        arrays = {name: segment_array(segment, name) for name in dims}
        uncut = {n: a.read() for n, a in arrays.items() if output.axis not in dims[n].names}
        for tile in range(segment.first, segment.last):
            start = (tile - segment.first) * output.tile
            part = {
                name: array.read(
                    tuple(
                        slice(start, start + output.tile) if n == output.axis else slice(None)
                        for n in dims[name].names
                    )
                )
                for name, array in arrays.items()
                if name not in uncut
            }
            product: Product = output.product(**part, **uncut)
            digests[tile] = tile_digest(product, output.axis)
        whole = whole or uncut
    chosen = chosen_points(output.points, output.length)
    return product_digest((digests[tile] for tile in wanted), whole, chosen)
