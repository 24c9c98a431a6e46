"""The picture at the head of the README: samples of several runs side by side, each as its trainer drew them last.

    python -m benchmarks.gallery --out=results/samples.png "Ladder VAE, MNIST=runs/ladder-mnist" ...
"""

import argparse
import pathlib

SIDE, TITLE, GAP = 380, 24, 10  # pixels


def last_samples(workdir):
    """The picture of the last step at which a run drew samples; ValueError if there is none."""
    drawn = (pathlib.Path(workdir) / "samples").glob("step-*.png")
    if last := max(drawn, default=None):  # steps are written with leading zeros
        return last
    raise ValueError(f"{workdir} is no run with pictures of samples, samples/step-*.png.")


def panel(title, path):
    """A picture fitted into a square below its title; pixels stay squares where it is enlarged."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.open(path).convert("RGB")
    scale = SIDE / max(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size],
                             Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)
    whole = Image.new("RGB", (SIDE, SIDE + TITLE), "white")
    ImageDraw.Draw(whole).text((2, 3), title, fill="black", font=ImageFont.load_default(16))
    whole.paste(picture, ((SIDE - picture.width) // 2, TITLE + (SIDE - picture.height) // 2))
    return whole


def gallery(named, columns):
    """The sheet of `TITLE=WORKDIR` each, row by row; ValueError if one is not that, or its run has no picture."""
    from PIL import Image

    panels = []
    for title, _, workdir in (name.rpartition("=") for name in named):
        if not title or not workdir:
            raise ValueError(f"{title or workdir!r} must be TITLE=WORKDIR.")
        panels.append(panel(title, last_samples(workdir)))
    columns = min(columns, len(panels))
    sheet = Image.new("RGB", (columns * (SIDE + GAP) - GAP, -(-len(panels) // columns) * (SIDE + TITLE + GAP) - GAP),
                      "white")
    for i, drawn in enumerate(panels):
        sheet.paste(drawn, (i % columns * (SIDE + GAP), i // columns * (SIDE + TITLE + GAP)))
    return sheet


def main():
    made = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    made.add_argument("panels", nargs="+", metavar="TITLE=WORKDIR",
                      help="a run of zoo-train that draws samples as a picture")
    made.add_argument("--out", type=pathlib.Path, required=True, help="picture to write")
    made.add_argument("--columns", type=int, default=4, help="panels in a row")
    arguments = made.parse_args()
    try:
        if arguments.columns < 1:
            raise ValueError(f"--columns must be 1 or more, found {arguments.columns}.")
        sheet = gallery(arguments.panels, arguments.columns)
    except ValueError as error:
        made.error(str(error))
    sheet.save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
