"""A mixture of Bernoulli products: each component is an image of probabilities, and given the component pixels are
independent.

An iteration is two matrix products over the data, one for the responsibilities and one for the new probabilities. On
binarized MNIST its 500 components were the baseline of the first neural autoregressive models.

H. Larochelle, I. Murray, The Neural Autoregressive Distribution Estimator, 2011.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo import random
from zoo.capabilities import SamplingMeans
from zoo.density.parts.mixture import Mixture
from zoo.distributions import pixels
from zoo.model import Domain
from zoo.paper import Paper

tfd = tfp.distributions


class BernoulliMixture(Mixture, SamplingMeans):
    """p(x) = sum_k pi_k prod_d mu_kd^x_d (1 - mu_kd)^(1 - x_d),  mu_kd = (sum_n r_nk x_nd + s m_d) / (sum_n r_nk + s).

    Args:
        shape: of an example; its D entries are flattened inside.
        components: number K of components.
        smoothing: s, as many pseudo-examples in each component, whose pixels have the mean m_d of all data (by
            Laplace's rule, never 0 or 1): the mode under a Beta(1 + s m_d, 1 + s (1 - m_d)) prior, which each iteration
            raises together with the likelihood.

    Raises:
        ValueError: if `components` is less than 1 or `smoothing` not more than 0 (a pixel that no example of a
            component has would be impossible).
    """

    paper = Paper(("Larochelle", "Murray"), "The Neural Autoregressive Distribution Estimator", 2011, "AISTATS")

    def __init__(self, shape=(28, 28, 1), components=20, smoothing=1.0, **kwargs):
        super().__init__(shape, components, **kwargs)
        if not 0 < smoothing < float("inf"):
            raise ValueError(f"smoothing must be more than 0, found {smoothing}.")
        self.smoothing = smoothing
        self.logits = self.state("logits", [components, self.size], "random_normal")  # log mu - log(1 - mu)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, components=self.components, smoothing=self.smoothing)

    @property
    def domain(self):
        return Domain("binary", self.shape, levels=2)

    @property
    def row_cost(self):
        return max(self.components, self.size)

    def component_distribution(self):
        return tfd.Independent(pixels.Bernoulli(logits=tf.convert_to_tensor(self.logits), dtype=tf.float32), 1)

    def component_log_prob(self, x, known=None):
        """Computes sum_d x_d logit_kd + log(1 - mu_kd) over the known entries, [B, K]."""
        logits = tf.convert_to_tensor(self.logits)
        off = -tf.nn.softplus(logits)  # log(1 - mu)
        if known is None:
            return tf.matmul(x, logits, transpose_b=True) + tf.reduce_sum(off, axis=1)
        known = tf.cast(known, tf.float32)
        return tf.matmul(known * x, logits, transpose_b=True) + tf.matmul(known, off, transpose_b=True)

    def component_sample(self, k, seeds, x=None, known=None):
        return tf.cast(random.uniform_rows(seeds,
                                           [self.size]) < tf.sigmoid(tf.gather(tf.convert_to_tensor(self.logits), k)),
                       tf.float32)

    def _sample_mean(self, seeds, condition=None):
        """Computes mu of the component that `sample` draws for the same seed."""
        return self.example(tf.sigmoid(tf.gather(tf.convert_to_tensor(self.logits), self.component(seeds, None, None))))

    def statistics(self, x, r):
        """Returns (sum_n r_nk x_nd,)."""
        return (tf.matmul(r, x, transpose_a=True),)

    def maximize(self, num, sums, mean):
        size, s = tf.reduce_sum(num), self.smoothing
        m = (mean * size + 1.0) / (size + 2.0)
        on, = sums
        self.logits.assign(tf.math.log(on + s * m) - tf.math.log(tf.maximum(num[:, None] - on, 0.0) + s * (1.0 - m)))
