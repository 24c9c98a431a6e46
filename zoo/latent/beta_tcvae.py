"""beta-TCVAE: of the KL term of a VAE only the part that says how dependent the code's dimensions are is made dear.

R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, Isolating Sources of Disentanglement in Variational Autoencoders, 2018,
arXiv:1802.04942: KL(q(z|x) || p(z)) on average over x is I(x; z) + KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) ||
p(z_d)), where q(z) is estimated within the batch.
"""

import math

import tensorflow as tf

from zoo.latent.parts import schedules
from zoo.latent.vae import VAE
from zoo.paper import Paper


class BetaTCVAE(VAE):
    """-E_q [log p(x|z)] + I(x; z) + beta KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d)) is minimised.

    The networks, posterior and bounds are a VAE's, with a standard normal prior, a diagonal posterior and no free bits.

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_size: number of latent dimensions.
        network: `dense` or `conv`.
        hidden: widths of the encoder's dense layers, or channels of its stride-2 convolutions; the decoder mirrors
            them.
        activation: of the hidden layers.
        likelihood: a name of `zoo.latent.parts.observations`, or `auto`.
        beta: weight of the total correlation, above 0.
        num_examples: size of the training set, N, of which a batch is a sample; the trainer takes the data set's.
        warmup_steps: steps in which the weight of the three terms rises from 0; 0: none.

    Raises:
        ValueError: if `shape` is not an image's, a name is unknown, or a number is too small.
    """

    paper = Paper(("Chen", "Li", "Grosse", "Duvenaud"),
                  "Isolating Sources of Disentanglement in Variational Autoencoders", 2018, "arXiv:1802.04942")

    def __init__(self, shape=(64, 64, 1), levels=2, latent_size=10, network="dense", hidden=(1200, 1200),
                 activation="relu", likelihood="auto", beta=6.0, num_examples=50_000, warmup_steps=0, **kwargs):
        if not 0.0 < beta < math.inf or num_examples < 1 or warmup_steps < 0:
            raise ValueError("beta must be above 0, num_examples at least 1 and warmup_steps not negative, found "
                             f"{beta}, {num_examples} and {warmup_steps}.")
        super().__init__(shape, levels, latent_size, network, hidden, activation, likelihood, prior="normal",
                         posterior="diagonal", flows=0, warmup_steps=warmup_steps, free_bits=0.0, **kwargs)
        self.beta, self.num_examples = beta, num_examples

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, network=self.network,
                    hidden=self.hidden, activation=self.activation, likelihood=self.given_likelihood, beta=self.beta,
                    num_examples=self.num_examples, warmup_steps=self.warmup_steps)

    def objective(self, x, seed, step=None):
        """Returns {reconstruction, mutual_information, total_correlation, dimension_wise_kl}, each [batch], at one draw
        of q(z|x)."""
        posterior = self.posterior(x)
        z, log_q = posterior.draw(tf.random.stateless_normal([tf.shape(x)[0], self.noise_size], seed))
        log_qz, log_marginals = aggregate(z, posterior.mean(), posterior.log_scale, self.num_examples)
        weight = schedules.warmup(step, self.warmup_steps)
        return {"reconstruction": -self.likelihood(z).log_prob(x),
                "mutual_information": weight * (log_q - log_qz),
                "total_correlation": weight * self.beta * (log_qz - log_marginals),
                "dimension_wise_kl": weight * (log_marginals - self.log_prior(z))}


def aggregate(z, loc, log_scale, num_examples):
    """Estimates log q(z) and of sum_d log q(z_d), [batch] each, from a batch of codes and their posteriors:
    minibatch stratified sampling (appendix C.2).

    Of N examples a code's own has weight 1/N; of the rest one stands for what the M - 2 others do not make up, and
    these count 1 / (M - 1) each.
    """
    size = tf.shape(z)[0]
    # each: [of z, of posterior, D]
    each = -0.5 * (((z[:, None] - loc) / tf.exp(log_scale)) ** 2 + math.log(2.0 * math.pi)) - log_scale
    weights = log_stratified_weights(size, num_examples)
    log_qz = tf.reduce_logsumexp(weights + tf.reduce_sum(each, -1), 1)
    return log_qz, tf.reduce_sum(tf.reduce_logsumexp(weights[..., None] + each, 1), -1)


def log_stratified_weights(size, num_examples):
    """Computes log of the importance weights [M, M] by which row i's posteriors j make up the average over all N; each
    row sums to one."""
    m, n = tf.cast(size - 1, tf.float32), float(num_examples)
    strat = tf.maximum(n - m, 0.0) / (n * tf.maximum(m, 1.0))
    index = tf.range(size)
    own, next_one = index[:, None] == index, (index[:, None] + 1) % size == index
    weights = tf.where(own, 1.0 / n, tf.where(next_one, strat, 1.0 / tf.maximum(m, 1.0)))
    return tf.math.log(weights / tf.reduce_sum(weights, 1, keepdims=True))
