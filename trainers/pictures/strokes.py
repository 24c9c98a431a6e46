"""Pictures of sketches: lines as the pen drew them, in a grid, as pixels or as an SVG file.

A sketch is steps (dx, dy, p1, p2, p3), [T, 5], as `zoo.distributions.strokes` says; each is made as large as its cell.
"""

import math

import numpy as np
from PIL import Image, ImageDraw

from trainers.pictures import images

CELL, MARGIN, WIDTH = 112, 10, 2.0  # dots of a cell's side, of its margin, and of a line
_FINE = 4  # dots are drawn so many times finer, and averaged
_INK, _DRAWN, _PAPER, _GRID = (20, 20, 20), (200, 40, 40), (255, 255, 255), (200, 200, 200)


def lines(x, given=None):
    """Finds [(points [n, 2], whether given)] of a sketch [T, 5]: what the pen draws, starting at the origin; a dot is a
    line of one point.

    `given`: bool [T], which steps are known of an example that a model completed; a line ends where that changes. None:
    all of them.
    """
    ended = x[:, 4] > 0.5
    num = int(ended.argmax()) if ended.any() else len(x)
    points = np.concatenate([np.zeros([1, 2]), np.cumsum(np.nan_to_num(x[:num, :2].astype(np.float64)), 0)])
    known = np.ones(num, bool) if given is None else np.asarray(given, bool)[:num]
    found, line, its = [], [points[0]], bool(known[0]) if num else True
    for point, lifted, now in zip(points[1:], x[:num, 3] > 0.5, known):
        if line and bool(now) != its:
            found += [(np.array(line), its)] if len(line) > 1 else []
            line = line[-1:]
        its = bool(now)
        line.append(point)
        if lifted:
            found.append((np.array(line), its))
            line = []
    return found + ([(np.array(line), its)] if len(line) > 1 else [])


def picture(x, columns=None, given=None):
    """Draws the grid of sketches [num, T, 5] as pixels, uint8 [height, width, 3]; what is not `given` (bool [num, T])
    in red."""
    rows, columns = _grid(len(x), columns)
    canvas = np.empty([rows * CELL + 1, columns * CELL + 1, 3], np.uint8)
    canvas[:] = _PAPER
    for index, cell in enumerate(_cells(x, given)):
        image = Image.new("RGB", (CELL * _FINE, CELL * _FINE), _PAPER)
        pen, radius = ImageDraw.Draw(image), WIDTH * _FINE / 2
        for points, known in cell:
            colour, points = _INK if known else _DRAWN, [tuple(point) for point in points * _FINE]
            if len(points) > 1:
                pen.line(points, fill=colour, width=round(2 * radius), joint="curve")
            for px, py in (points[0], points[-1]):  # round ends
                pen.ellipse((px - radius, py - radius, px + radius, py + radius), fill=colour)
        top, left = index // columns * CELL, index % columns * CELL
        canvas[top:top + CELL, left:left + CELL] = np.asarray(image.reduce(_FINE))
    canvas[::CELL], canvas[:, ::CELL] = _GRID, _GRID
    return canvas


def svg(x, columns=None, given=None):
    """Writes the same as the text of an SVG file."""
    rows, columns = _grid(len(x), columns)
    height, width = rows * CELL, columns * CELL
    drawn = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} '
             f'{height}">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<g fill="none" stroke-width="{WIDTH}" stroke-linecap="round" stroke-linejoin="round">']
    for index, cell in enumerate(_cells(x, given)):
        drawn.append(f'<g transform="translate({index % columns * CELL} {index // columns * CELL})">')
        for points, known in cell:
            # twice the last: a dot is visible, too
            path = " ".join(f"{px:.2f},{py:.2f}" for px, py in np.concatenate([points, points[-1:]]))
            drawn.append(f'<polyline points="{path}" stroke="rgb{_INK if known else _DRAWN}"/>')
        drawn.append("</g>")
    return "\n".join([*drawn, "</g>", "</svg>", ""])


def file(x, ending, columns=None, given=None):
    """Makes the bytes of a .png or an .svg file."""
    return svg(x, columns, given).encode() if ending == ".svg" else images.png(picture(x, columns, given))


def blank(num, like):
    """Makes sketches [num, T, 5] of nothing."""
    x = np.zeros((num, *like.shape[1:]), like.dtype)
    x[..., 4] = 1
    return x


def beneath(stacks, columns):
    """Puts equally long arrays of sketches in the order in which a grid shows them line by line beneath one another."""
    filled = [np.concatenate([x, blank(-len(x) % columns, x)]).reshape(-1, columns, *x.shape[1:]) for x in stacks]
    return np.stack(filled, 1).reshape(-1, *stacks[0].shape[1:])


def completions(drawn, mask, ending):
    """Makes the file of completed sketches [num, candidates + 1, T, 5], the truth last: each in a line, what was given
    (bool [num, T]) before them."""
    truth = drawn[:, -1]
    given = np.where(mask[..., None], truth, blank(len(truth), truth))
    x = np.concatenate([given[:, None], drawn], 1)
    known = np.repeat(mask[:, None], x.shape[1], 1)
    known[:, [0, -1]] = True
    return file(x.reshape(-1, *x.shape[2:]), ending, x.shape[1], known.reshape(-1, mask.shape[1]))


def _grid(num, columns):
    columns = columns or math.ceil(math.sqrt(num))
    return math.ceil(num / columns), columns


def _cells(x, given):
    """Places the lines of each sketch in dots of its cell: as large as fits, in the middle."""
    for index, sketch in enumerate(x):
        cell = lines(sketch, None if given is None else given[index])
        if cell:
            every = np.concatenate([points for points, _ in cell])
            low, high = every.min(0), every.max(0)
            scale = (CELL - 2 * MARGIN) / max(float((high - low).max()), 1e-6)
            cell = [((points - (low + high) / 2) * scale + CELL / 2, known) for points, known in cell]
        yield cell
