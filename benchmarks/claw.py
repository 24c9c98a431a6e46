"""What four density estimators make of the claw: a single normal, a histogram, a kernel density and a mixture, fitted
to the same points.

Writes one picture with the true density and a table of KL(truth || fit), by numerical integration, as Markdown and
JSON.

    python -m benchmarks.claw
"""

import argparse
import json
import pathlib

import numpy as np

from trainers.data.embedded.claw import points
from zoo.density.gaussian_mixture import GaussianMixture
from zoo.density.histogram import Histogram
from zoo.density.kernel_density import KernelDensity
from zoo.density.parts.claw import claw


def mixture(x, seed, starts=5):
    """Twelve normals from the best of several starts, by the likelihood of the training points: EM finds the nearest
    maximum, not the highest."""
    fits = [GaussianMixture.fitted(x, start, components=12, steps=200) for start in range(seed, seed + starts)]
    return max(fits, key=lambda model: float(np.mean(model.log_prob(x))))


FITS = {  # name -> function of the training points
    "single normal": lambda x, seed: GaussianMixture.fitted(x, seed, components=1, steps=2),
    "histogram, Freedman-Diaconis": lambda x, seed: Histogram.fitted(x, seed, margin=1.0, smoothing=0.5),
    "kernel density, Scott": lambda x, seed: KernelDensity.fitted(x, seed),
    "kernel density, leave-one-out": lambda x, seed: KernelDensity.fitted(x, seed, bandwidth="leave_one_out"),
    "mixture of twelve normals": mixture,
}
GRID = np.linspace(-7.0, 7.0, 14_001, dtype=np.float32)  # less than 1e-11 of the mass is outside


def divergence(model):
    """KL(truth || fit) in nats by the trapezoidal rule; infinite where the fit is 0 and the truth is not."""
    truth = claw().log_prob(GRID).numpy().astype(np.float64)
    return float(np.trapezoid(np.exp(truth) * (truth - model.log_prob(GRID[:, None]).numpy().astype(np.float64)), GRID))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results"),
                        help="folder of claw.png, claw.md and claw.json")
    parser.add_argument("--num", type=int, default=5000, help="training points")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    x = points(options.seed, options.num)
    fits = {name: fit(x, options.seed) for name, fit in FITS.items()}
    rows = [dict(model=name, kl=divergence(model), points=options.num, seed=options.seed) for name,
            model in fits.items()]
    table = "\n".join([f"KL(truth || fit) on the claw, {options.num:,} points, seed {options.seed}", "",
                       "| model | nats |", "|---|---|",
                       *(f"| {row['model']} | {row['kl']:.4f} |" for row in rows)])
    print(table)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "claw.md").write_text(table + "\n")
    (options.out / "claw.json").write_text(json.dumps(rows, indent=1) + "\n")
    draw(fits, options.out / "claw.png")


def draw(fits, path):
    """The fits over the true density, a panel each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3), layout="constrained")
    shown = np.abs(GRID) < 3
    for axes, (name, model) in zip(figure.subplots(1, len(fits), sharey=True), fits.items()):
        axes.fill_between(GRID[shown], claw().prob(GRID[shown]), color="0.85", label="truth")
        axes.plot(GRID[shown], np.exp(model.log_prob(GRID[shown][:, None])), linewidth=1)
        axes.set_title(name, fontsize=9)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
