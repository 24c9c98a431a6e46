"""The picture of a training: every scalar that a run logged over its steps, a panel each, one line per split."""

import json
import math

from trainers.pictures import figures


def picture(metrics_jsonl):
    """Plots what a run's metrics.jsonl holds, uint8 [height, width, 3]; None where nothing was logged."""
    panels = _panels(metrics_jsonl)
    if not panels:
        return None
    columns = min(3, len(panels))
    figure, axes = figures.panels(math.ceil(len(panels) / columns), columns, 3.0)
    for axis, (name, splits) in zip(axes, panels.items()):
        for split, points in splits.items():
            axis.plot(*zip(*points), label=split, linewidth=1, marker="." if len(points) < 30 else None)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    for axis in axes[len(panels):]:
        axis.axis("off")
    return figures.pixels(figure)


def _panels(metrics_jsonl):
    """Reads {scalar: {split: [(step, value)]}}."""
    panels = {}
    for line in open(metrics_jsonl):
        try:
            entry = json.loads(line)
        except ValueError:  # a line that the trainer is writing at this moment
            continue
        step, split = entry.pop("step"), entry.pop("split", "train")
        for name, value in entry.items():
            panels.setdefault(name, {}).setdefault(split, []).append((step, value))
    return panels
