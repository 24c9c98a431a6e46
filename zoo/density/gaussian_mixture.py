"""A mixture of Gaussians with full, diagonal or spherical covariances, fitted by expectation maximisation.

Its conditionals are mixtures of Gaussians too, so any part of an example is completed exactly from any other.

A. P. Dempster, N. M. Laird, D. B. Rubin, Maximum Likelihood from Incomplete Data via the EM Algorithm, 1977.
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.density.parts.mixture import Mixture
from zoo.paper import Paper

tfd = tfp.distributions
COVARIANCES = ("full", "diagonal", "spherical")


class GaussianMixture(Mixture):
    """p(x) = sum_k pi_k N(x; mu_k, Sigma_k),  Sigma_k = sum_n r_nk (x_n - mu_k)(x_n - mu_k)^T / sum_n r_nk +
    regularization I, or its diagonal or that's mean.

    Args:
        shape: of an example; its D entries are flattened inside.
        levels: None for points; for images, the number of a pixel's values, and x = (level + u) / levels with u ~ U[0,
            1).
        components: number K of components.
        covariance: `full`, `diagonal` or `spherical` (one variance a component).
        regularization: added to every variance, in squared units of x.

    Raises:
        ValueError: if `components` is less than 1, `covariance` unknown or `regularization` not more than 0 (a
            component on one example would be a spike).
    """

    paper = Paper(("Dempster", "Laird", "Rubin"),
                  "Maximum Likelihood from Incomplete Data via the EM Algorithm",
                  1977, "Journal of the Royal Statistical Society B 39")

    def __init__(self, shape=(2,), levels=None, components=8, covariance="diagonal", regularization=1e-6, **kwargs):
        super().__init__(shape, components, levels, **kwargs)
        if covariance not in COVARIANCES:
            raise ValueError(f"covariance must be one of {', '.join(COVARIANCES)}, found {covariance!r}.")
        if not 0 < regularization < math.inf:
            raise ValueError(f"regularization must be more than 0, found {regularization}.")
        self.covariance, self.regularization = covariance, regularization
        self.loc = self.state("loc", [components, self.size], "random_normal")
        # Lower triangle of Sigma = L L^T, or standard deviations.
        if covariance == "full":
            self.scale = self.state("scale", [components, self.size, self.size],
                                    lambda shape, dtype: tf.eye(self.size, batch_shape=[components], dtype=dtype))
        else:
            self.scale = self.state("scale", [components, self.size] if covariance == "diagonal" else [components, 1],
                                    "ones")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, components=self.components, covariance=self.covariance,
                    regularization=self.regularization)

    @property
    def row_cost(self):
        return self.components * self.size

    def component_distribution(self):
        loc, scale = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.scale)
        if self.covariance == "full":
            return tfd.MultivariateNormalTriL(loc, scale)
        return tfd.MultivariateNormalDiag(loc, tf.broadcast_to(scale, loc.shape))

    def component_log_prob(self, x, known=None):
        """Computes log N(x; mu_k, Sigma_k), or of the marginal of the known entries, [B, K]."""
        loc, scale = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.scale)
        if self.covariance != "full":
            terms = tfd.Normal(loc, scale).log_prob(x[:, None])  # [B, K, D]
            return tf.reduce_sum(terms if known is None else tf.where(known[:, None], terms, 0.0), axis=-1)
        if known is None:  # one triangular solve a component: a distribution's own would copy the triangle for each row
            z = tf.linalg.triangular_solve(scale, tf.transpose(x - loc[:, None], [0, 2, 1]))  # [K, D, B]
            log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(scale)), axis=1)
            return tf.transpose(-0.5 * tf.reduce_sum(z**2, axis=1) - log_det[:,
                                                                             None] - 0.5 * self.size
                                * math.log(2.0 * math.pi))
        covariance = tf.matmul(scale, scale, transpose_b=True)

        def row(given):
            x, known = given
            marginal = tf.linalg.cholesky(_marginal(covariance, known))
            # What is not known is standard normal and at 0 there: it adds its own constant, and nothing else.
            normal = tfd.MultivariateNormalTriL(tf.zeros_like(loc), marginal).log_prob(tf.where(known, x - loc, 0.0))
            return normal + 0.5 * math.log(2.0 * math.pi) * tf.reduce_sum(1.0 - tf.cast(known, tf.float32))

        return tf.map_fn(row, (x, known), fn_output_signature=tf.TensorSpec([self.components], tf.float32))

    def component_sample(self, k, seeds, x=None, known=None):
        """z = mu + L eps; given what is known, x = z + Sigma_.k Sigma_kk^-1 (x_k - z_k) (Matheron's rule)."""
        loc, scale = tf.gather(tf.convert_to_tensor(self.loc), k), tf.convert_to_tensor(self.scale)
        eps = random.normal_rows(seeds, [self.size])
        if self.covariance != "full":  # entries are independent
            return loc + tf.gather(scale, k) * eps
        rows = tf.TensorSpec([self.size], tf.float32)
        z = loc + tf.map_fn(
            lambda given: tf.linalg.matvec(scale[given[0]], given[1]), (k, eps), fn_output_signature=rows
        )
        if known is None:
            return z

        def row(given):
            k, z, x, known = given
            covariance = tf.matmul(scale[k], scale[k], transpose_b=True)
            error = tf.where(known, x - z, 0.0)
            solved = tf.linalg.cholesky_solve(tf.linalg.cholesky(_marginal(covariance, known)), error[:, None])[:, 0]
            return z + tf.linalg.matvec(covariance, tf.where(known, solved, 0.0))

        return tf.map_fn(row, (k, z, x, known), fn_output_signature=rows)

    def place(self, centres):
        self.loc.assign(centres)

    def statistics(self, x, r):
        """Returns (sum_n r d, sum_n r d d^T or r d^2), with d = x - mu: from where the components are, squares lose no
        digits."""
        d = x[:, None] - tf.convert_to_tensor(self.loc)  # [B, K, D]
        first = tf.einsum("nk,nkd->kd", r, d)
        if self.covariance == "full":
            return first, tf.einsum("nkd,nke->kde", r[..., None] * d, d)
        return first, tf.einsum("nk,nkd->kd", r, d**2)

    def maximize(self, num, sums, mean):
        num = tf.maximum(num, 1e-6)[:, None]  # a component without examples stays where it is
        shift, square = sums[0] / num, sums[1]
        self.loc.assign_add(shift)
        if self.covariance == "full":
            covariance = square / num[..., None] - shift[:, :, None] * shift[:, None]
            self.scale.assign(tf.linalg.cholesky(covariance + self.regularization * tf.eye(self.size)))
            return
        variance = tf.maximum(square / num - shift**2, 0.0)
        variance = variance if self.covariance == "diagonal" else tf.reduce_mean(variance, axis=1, keepdims=True)
        self.scale.assign(tf.sqrt(variance + self.regularization))


def _marginal(covariance, known):
    """Returns covariances [..., D, D] in which what is not known is standard normal and independent of the rest."""
    known = tf.cast(known, tf.float32)
    return covariance * known[:, None] * known + tf.linalg.diag(1.0 - known)
