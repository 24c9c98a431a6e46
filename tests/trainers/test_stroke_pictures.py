"""Pictures of sketches: which lines the pen draws, where their dots are, and the SVG file."""

import xml.etree.ElementTree

import numpy as np

from trainers.pictures import strokes
from trainers.pictures.strokes import CELL, MARGIN


def sketch(*steps, length=8):
    x = np.tile(np.float32([0, 0, 0, 0, 1]), (length, 1))
    for place, (dx, dy, state) in enumerate(steps):
        x[place] = [dx, dy, *np.eye(3)[state]]
    return x


CORNER = sketch((2, 0, 0), (0, 2, 1), (1, 1, 1), (-3, 0, 0), (0, -1, 1))  # two sides of a square, a dot, a line


def test_lines_are_what_the_pen_draws():
    found = strokes.lines(CORNER)
    assert [points.tolist() for points, _ in found] == [[[0, 0], [2, 0], [2, 2]], [[3, 3]],
                                                        [[0, 3], [0, 2]]] and all(known for _, known in found)
    assert strokes.lines(sketch()) == []
    endless = sketch((1, 0, 0), (1, 0, 0), (1, 0, 0), length=3)
    assert [points.tolist() for points, _ in strokes.lines(endless)] == [[[0, 0], [1, 0], [2, 0], [3, 0]]]


def test_what_is_given_is_a_line_of_its_own():
    found = strokes.lines(CORNER, np.arange(8) < 1)
    assert [(points.tolist(), known) for points, known in found] == [
        ([[0, 0], [2, 0]], True), ([[2, 0], [2, 2]], False), ([[3, 3]], False), ([[0, 3], [0, 2]], False)]
    found = strokes.lines(CORNER, np.arange(8) < 2)
    assert [known for _, known in found] == [True, False, False]


def test_each_sketch_fills_its_cell():
    square = sketch((4, 0, 0), (0, 4, 0), (-4, 0, 0), (0, -4, 1))
    picture = strokes.picture(np.stack([square, sketch(), square, square, square]), columns=2)
    assert picture.shape == (3 * CELL + 1, 2 * CELL + 1, 3) and picture.dtype == np.uint8
    for row, column, drawn in ((0, 0, True), (0, 1, False), (1, 0, True), (2, 0, True), (2, 1, False)):
        cell = picture[row * CELL + 2:(row + 1) * CELL - 1, column * CELL + 2:(column + 1) * CELL - 1].min(-1)
        assert (cell.min() < 60) == drawn
        if drawn:
            dark = np.argwhere(cell < 128) + 2
            assert abs(dark.min() - MARGIN) <= 2 and abs(dark.max() - (CELL - MARGIN)) <= 2
            # the square is empty
            assert cell[CELL // 2 - 10:CELL // 2 + 10, CELL // 2 - 10:CELL // 2 + 10].min() == 255
    coloured = strokes.picture(square[None], given=np.arange(8)[None] < 2)
    red = (coloured[..., 0] > 150) & (coloured[..., 1] < 100)
    assert red[:, :CELL // 2].sum() > 50 and (coloured.max(-1) < 60).sum() > 50
    assert np.isfinite(strokes.picture(np.full([1, 4, 5], np.nan, np.float32))).all()


def test_the_svg_file_holds_the_same_lines():
    root = xml.etree.ElementTree.fromstring(strokes.svg(np.stack([CORNER, sketch(), CORNER]), columns=2))
    cells = [group for group in root.iter("{http://www.w3.org/2000/svg}g") if "transform" in group.attrib]
    assert [cell.attrib["transform"] for cell in cells] == ["translate(0 0)", f"translate({CELL} 0)",
                                                            f"translate(0 {CELL})"]
    assert [len(cell) for cell in cells] == [3, 0, 3]
    points = np.array([[float(v) for v in p.split(",")] for line in cells[0] for p in line.attrib["points"].split()])
    assert abs(points.min() - MARGIN) < 0.01 and abs(points.max() - (CELL - MARGIN)) < 0.01
    assert strokes.file(CORNER[None], ".svg").startswith(b"<svg") and strokes.file(CORNER[None], ".png")[1:4] == b"PNG"


def test_rows_beneath_one_another():
    x = np.arange(5 * 8 * 5, dtype=np.float32).reshape(5, 8, 5)
    shown = strokes.beneath([x, -x], columns=3)
    np.testing.assert_array_equal(shown[:6], [*x[:3], *-x[:3]])
    np.testing.assert_array_equal(shown[6:], [*x[3:], sketch(), *-x[3:], sketch()])
