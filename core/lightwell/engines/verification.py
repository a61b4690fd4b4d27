"""The digest of a result as its files hold it now, to be compared with the recorded one."""

from lightwell.engines.segments import SegmentFolder, product_digest, tile_digest
from lightwell.engines.spec import Output, chosen_points
from lightwell.engines.tiles import cut
from lightwell.products import Product

__all__ = ["stored_digest"]


def stored_digest(output: Output) -> str:
    """Read every stored number of a result, a segment at a time, and digest them.

    Errors: DamagedResult where a segment is missing; UnreadableFile where one is damaged.
    """
    from lightwell.hdf5 import Hdf5Array

    wanted = sorted({point // output.tile for point in output.points})
    dims = output.product.dims()
    digests: dict[int, str] = {}
    whole: dict[str, object] = {}
    for segment in SegmentFolder(output.folder).holding(wanted):
        stored = {name: Hdf5Array.find(segment.path, name).read() for name in dims}
        product: Product = output.product(**stored)
        length = product.lengths().get(output.axis, 1)
        for tile in range(segment.first, segment.last):
            start = (tile - segment.first) * output.tile
            piece = cut(product, output.axis, start, min(start + output.tile, length))
            digests[tile] = tile_digest(piece, output.axis)
        if not whole:
            whole = {n: a for n, a in stored.items() if output.axis not in dims[n].names}
    chosen = chosen_points(output.points, output.length)
    return product_digest((digests[tile] for tile in wanted), whole, chosen)
