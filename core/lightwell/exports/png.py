"""PNG: a folder of slices for people's eyes, 8 or 16 bits, the contrast written into each."""

import json
from typing import Any

from lightwell.exports.placing import complete_output
from lightwell.exports.protocol import FACTS_FILE, Export

__all__ = ["write_png"]

_INCH = 0.0254


def write_png(export: Export) -> None:
    """Write a folder with a picture per slice, numbered as in the dataset, and their facts."""
    chosen = export.volume.chosen
    digits = max(4, len(str(chosen[-1])))
    # Compressed by how much nobody knows before; what is refused for sure is what cannot shrink.
    with complete_output(export.path) as part:
        part.mkdir()
        options = _options(export)
        for index, page in zip(chosen, export.pages(), strict=True):
            _picture(page).save(part / f"slice_{index:0{digits}d}.png", format="PNG", **options)
        (part / FACTS_FILE).write_text(json.dumps(export.facts(), indent=1), encoding="utf-8")


def _picture(page: Any) -> Any:
    import numpy as np
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(page))


def _options(export: Export) -> dict[str, Any]:
    """The pixel size as PNG has it, whole pixels per metre, and the facts as text."""
    from PIL.PngImagePlugin import PngInfo

    facts = PngInfo()
    facts.add_text("Software", export.program)
    facts.add_text("Source", export.volume.pid)
    facts.add_text("Description", json.dumps(export.facts()))
    _, y, x = export.volume.voxel
    found: dict[str, Any] = {"pnginfo": facts}
    if x and y:
        found["dpi"] = (_INCH / x, _INCH / y)
    return found
