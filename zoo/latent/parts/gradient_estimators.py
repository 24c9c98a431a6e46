"""Four estimators of the gradient of E[f(z)], z ~ N(loc, S S^T), by loc and the covariance C = S S^T, a value for every
draw of noise.

R. J. Williams, 1992 (score function, REINFORCE); D. P. Kingma, M. Welling, 2013, arXiv:1312.6114 (reparameterised); D.
J. Rezende, S. Mohamed, D. Wierstra, 2014, arXiv:1401.4082 (Gaussian backpropagation, by the theorems of Bonnet, 1964:
d/dloc E f = E[grad f], and Price, 1958: d/dC E f = 1/2 E[hessian f]). All are unbiased; what sets them apart is their
variance.
"""

import tensorflow as tf

ESTIMATORS = ("score_function", "score_function_baseline", "reparameterised", "gaussian")


def estimate(name, f, loc, scale, eps):
    """Returns (d/dloc [num, D], d/dC [num, D, D]) of E[f(z)], one estimate for each draw, by the estimator of that
    name.

    Args:
        f: a twice differentiable function [num, D] -> [num], row by row.
        loc: [D]. scale: S, lower triangular [D, D].
        eps: standard normals [num, D]; with a baseline, the mean of the other draws' f, at least two.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, found {name!r}.")
    z = loc + tf.matmul(eps, scale, transpose_b=True)
    if name.startswith("score_function"):
        value = f(z)
        if name.endswith("baseline"):
            num = tf.cast(tf.shape(value)[0], value.dtype)
            value -= (tf.reduce_sum(value) - value) / (num - 1.0)
        by_loc, by_covariance = _scores(eps, scale)
        return value[:, None] * by_loc, value[:, None, None] * by_covariance
    gradient = _gradient(f, z)
    if name == "gaussian":
        return gradient, 0.5 * _hessian(f, z)
    # By S the gradient is g eps^T; by C, through dC = dS S^T + S dS^T, half of g (S^-T eps)^T, made symmetric.
    outer = gradient[:, :, None] * tf.linalg.matvec(tf.linalg.inv(scale), eps, transpose_a=True)[:, None, :]
    return gradient, 0.25 * (outer + tf.linalg.matrix_transpose(outer))


def _scores(eps, scale):
    """Computes d log N(z; loc, C) / dloc = C^-1 (z - loc), and by C: 1/2 (C^-1 (z - loc) (z - loc)^T C^-1 - C^-1)."""
    inverse = tf.linalg.inv(scale)
    by_loc = tf.matmul(eps, inverse)  # S^-T eps
    return by_loc, 0.5 * (by_loc[:, :, None] * by_loc[:, None, :] - tf.matmul(inverse, inverse, transpose_a=True))


def _gradient(f, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = f(z)
    return tape.gradient(value, z)


def _hessian(f, z):
    """Returns the Hessian of each row, [num, D, D]."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        columns = tf.unstack(_gradient(f, z), axis=-1)
    # rows do not know one another
    return tf.stack([tape.gradient(column, z, unconnected_gradients="zero") for column in columns], -1)
