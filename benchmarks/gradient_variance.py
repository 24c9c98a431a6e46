"""How much four estimators of a Gaussian expectation's gradient vary: score function with and without a baseline,
reparameterised, Gaussian backpropagation.

Writes a picture of the summed variance of one draw's estimate over the number of latents, by the mean and by the
covariance, for E[f(z)], z ~ N(0, 0.25 I), of a quadratic and of the negative log-likelihood of a logistic regression,
as a decoder of one layer has it.

    python -m benchmarks.gradient_variance
"""

import argparse
import pathlib

import tensorflow as tf

from zoo.latent.parts.gradient_estimators import ESTIMATORS, estimate

SIZES = (1, 2, 4, 8, 16, 32)


def quadratic(size):
    """sum_d (z_d - 1)^2 / 2."""
    return lambda z: 0.5 * tf.reduce_sum((z - 1.0) ** 2, -1)


def logistic(size):
    """-log p(x|z) of 10 size Bernoulli pixels with logits W z, W of unit variance over sqrt(size)."""
    W = tf.random.stateless_normal([size, 10 * size], [1, size]) / size**0.5
    x = tf.cast(tf.random.stateless_uniform([10 * size], [2, size]) < 0.3, tf.float32)
    return lambda z: tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(x, [z.shape[0], 10 * size]),
                                                                           tf.matmul(z, W)), -1)


FUNCTIONS = {"quadratic": quadratic, "logistic decoder": logistic}


def variances(name, f, size, num):
    """The variances by the mean and by the covariance, summed over their entries."""
    eps = tf.random.stateless_normal([num, size], [3, size])
    found = estimate(name, f, tf.zeros([size]), 0.5 * tf.eye(size), eps)
    return [float(tf.reduce_sum(tf.math.reduce_variance(gradient, 0))) for gradient in found]


def draw(found, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.5), layout="constrained")
    for row, axes in zip((0, 1), figure.subplots(2, len(FUNCTIONS), sharex=True)):
        for panel, function in zip(axes, FUNCTIONS):
            for name in ESTIMATORS:
                values = [found[function, name, size][row] for size in SIZES]
                panel.loglog(SIZES, [max(v, 1e-9) for v in values], marker="o", label=name.replace("_", " "))
            panel.set_title(f"{function}, by the {('mean', 'covariance')[row]}", fontsize=10)
    axes[0].set_xlabel("latents")
    axes[0].set_ylabel("variance")
    axes[-1].legend(fontsize=8)
    figure.savefig(path, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results"),
                        help="folder of gradient_variance.png and gradient_variance.md")
    parser.add_argument("--num", type=int, default=4000, help="draws")
    options = parser.parse_args()
    found = {(function, name, size): variances(name, make(size), size, options.num) for function,
             make in FUNCTIONS.items() for name in ESTIMATORS for size in SIZES}
    options.out.mkdir(parents=True, exist_ok=True)
    lines = ["| function | estimator | latents | by the mean | by the covariance |", "|---|---|---|---|---|"]
    lines += [f"| {f} | {name.replace('_', ' ')} | {size} | {a:.3g} | {b:.3g} |" for (f, name, size),
              (a, b) in found.items() if size in (1, 8, 32)]
    (options.out / "gradient_variance.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw(found, options.out / "gradient_variance.png")


if __name__ == "__main__":
    main()
