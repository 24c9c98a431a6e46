"""Pictures of examples, as uint8 arrays [height, width, 1 or 3], and the PNG files they go into.

Examples that are images become grids, enlarged until 8x8 digits can be read; points become scatter plots.
"""

import io
import math

import numpy as np
from PIL import Image

from trainers.pictures import points

SEPARATOR = 128  # grey: told apart from both of black and white
_CELL = 56  # pixels that an enlarged image should take, about
_SIDE = 8192  # pixels beyond which a grid's images are not enlarged
_CLASSES = 16  # of which a picture has a column each
_BINARY = 100  # rows of a binary table that a picture shows


def is_image(domain):
    """Tells whether examples are pictures: three dimensions, one or three channels, and values of a known range."""
    return (
        len(domain.shape) == 3
        and domain.shape[-1] in (1, 3)
        and (domain.kind in ("binary", "levels") or domain.range is not None)
    )


def picture(x, domain, columns=None):
    """Makes the picture of examples [num, *shape]: a grid of images (a class in each column, if there are few), a
    binary table, else a scatter plot."""
    if is_image(domain):
        few = domain.num_classes is not None and domain.num_classes <= _CLASSES
        return grid(to_uint8(x, domain), columns or (domain.num_classes if few else None))
    if domain.kind == "binary":  # a row for each of the first examples
        return grid(to_uint8(x[:_BINARY], domain).reshape(1, min(len(x), _BINARY), -1, 1))
    return points.scatter(x)


def to_uint8(x, domain):
    """Turns examples in the domain's units into grey or colour levels 0..255, clipped; not a number becomes black."""
    low, high = domain.range if domain.kind == "real" else (0.0, domain.levels - 1.0)
    x = (np.asarray(x, np.float32) - low) / (high - low)
    return np.round(255.0 * np.clip(np.nan_to_num(x), 0.0, 1.0)).astype(np.uint8)


def grid(images, columns=None, scale=None):
    """Puts images, uint8 [num, height, width, channels], beside and below one another, row by row, a pixel apart.

    Args:
        columns: images in a row; None makes the grid as square as it can be.
        scale: how many times a pixel is repeated both ways; None enlarges small images.
    """
    num, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(num))
    lines = math.ceil(num / columns)
    scale = scale or max(1, min(round(_CELL / max(height, width)), _SIDE // max(lines * height, columns * width)))
    gap = scale  # as wide as a pixel: digits that fill their cell would run into one another
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    cell_height, cell_width = height * scale + gap, width * scale + gap
    canvas = np.full((lines * cell_height + gap, columns * cell_width + gap, channels), SEPARATOR, np.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * cell_height, gap + index % columns * cell_width
        canvas[top:top + height * scale, left:left + width * scale] = image
    return canvas


def png(picture):
    """Makes the bytes of a picture's PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file, "png")
    return file.getvalue()
