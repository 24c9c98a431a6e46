"""The gallery: each run's last picture under its title, pixels of small pictures as squares, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import gallery


@pytest.fixture
def runs(tmp_path):
    """Three runs whose last pictures are one colour each; the first has an older picture, the second curves, of other
    colours."""
    for name, colour, size in (("a", (255, 0, 0), (10, 10)), ("b", (0, 255, 0), (20, 10)),
                               ("c", (0, 0, 255), (999, 999))):
        (tmp_path / name / "samples").mkdir(parents=True)
        Image.new("RGB", size, colour).save(tmp_path / name / "samples/step-00002000.png")
    Image.new("RGB", (10, 10), "yellow").save(tmp_path / "a/samples/step-00001000.png")
    Image.new("RGB", (10, 10), "yellow").save(tmp_path / "b/samples/curves.png")
    return [f"{name} = {name}={tmp_path / name}" for name in "abc"]


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["gallery", *map(str, arguments)])
    gallery.main()


def test_panels_stand_row_by_row(runs, tmp_path, monkeypatch):
    run(monkeypatch, *runs, "--columns=2", f"--out={tmp_path / 'sheet.png'}")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    side, pitch = gallery.SIDE, gallery.SIDE + gallery.TITLE + gallery.GAP
    assert sheet.shape == (2 * pitch - gallery.GAP, 2 * side + gallery.GAP, 3)
    middle = gallery.TITLE + side // 2
    centres = [sheet[row + middle, column + side // 2].tolist() for row in (0, pitch)
               for column in (0, side + gallery.GAP)]
    assert centres == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    # a wide picture keeps its shape: white above it
    assert (sheet[gallery.TITLE + 3, side + gallery.GAP + side // 2] == 255).all()
    assert (sheet[:gallery.TITLE, :side] < 128).any()  # a title


def test_small_pixels_stay_squares(tmp_path):
    Image.fromarray(np.uint8([[[0], [255]], [[255], [0]]]).repeat(3, -1)).save(tmp_path / "x.png")
    drawn = np.asarray(gallery.panel("", tmp_path / "x.png"))[gallery.TITLE:]
    assert set(np.unique(drawn)) == {0, 255}


@pytest.mark.parametrize("panels, columns, says",
                         [(["runs/a"], 2, "must be TITLE=WORKDIR"), (["A="], 2, "must be TITLE=WORKDIR"),
                          (["A=gone"], 2, "gone is no run with pictures"), (None, 0, "--columns must be 1 or more")])
def test_what_is_no_panel_is_refused(runs, panels, columns, says, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, *(panels or runs), f"--columns={columns}", f"--out={tmp_path / 'sheet.png'}")
    assert refused.value.code == 2 and says in capsys.readouterr().err
    assert not (tmp_path / "sheet.png").exists()
