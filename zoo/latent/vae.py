"""Variational autoencoder: a latent Gaussian decoded to an image, and a Gaussian posterior whose parameters a network
reads off the image.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2013, arXiv:1312.6114. KL warm-up: C. K. Sonderby et al.,
2016, arXiv:1602.02282; free bits: D. P. Kingma et al., 2016, arXiv:1606.04934; learned priors: J. M. Tomczak, M.
Welling, 2018, arXiv:1705.07120.
"""

from zoo.latent.parts import priors, schedules
from zoo.latent.parts.one_layer import OneLayer


class VAE(OneLayer):
    """log p(x) >= E_{q(z|x)} [log p(x|z)] - KL(q(z|x) || p(z)),  p(z) = N(0, I),  q(z|x) = N(loc(x), diag(scale(x)^2)).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        latent_size: number of latent dimensions.
        network: `dense` or `conv`.
        hidden: widths of the encoder's dense layers, or channels of its stride-2 convolutions; the decoder mirrors
            them.
        activation: of the hidden layers.
        likelihood: `auto` (Bernoulli for two levels, Categorical for more), `bernoulli`, `categorical`,
            `discretized_logistic` or its `_mixture`, `continuous_bernoulli` (of grey values on [0, 1]) or `gaussian`
            (of dequantized ones).
        prior: `normal`; `mixture`, of learned Gaussians; or `vamp`, the mixture of the posteriors of learned
            pseudo-inputs.
        components: of a prior that is a mixture.
        posterior: `diagonal`, `rank_one` or `full` Gaussian, or the flows `planar` and `iaf` (inverse autoregressive).
        flows: steps of the flow.
        warmup_steps: steps in which the weight of the KL term rises from 0 to 1; 0: none.
        free_bits: nats that each latent's KL may take at no cost while training (of the batch's mean; of their sum
            where they are not independent).

    Raises:
        ValueError: if `shape` is not an image's, a name is unknown, a number is too small, or the VampPrior is asked
            for with a posterior that is not diagonal.
    """

    def __init__(self, shape=(28, 28, 1), levels=2, latent_size=16, network="dense", hidden=(200, 200),
                 activation="tanh", likelihood="auto", prior="normal", components=500, posterior="diagonal", flows=0,
                 warmup_steps=0, free_bits=0.0, **kwargs):
        super().__init__(**kwargs)
        if components < 1 or warmup_steps < 0 or free_bits < 0:
            raise ValueError("components must be at least 1, warmup_steps and free_bits not negative, found "
                             f"{components}, {warmup_steps} and {free_bits}.")
        if prior not in priors.PRIORS:
            raise ValueError(f"prior must be one of {', '.join(priors.PRIORS)}, found {prior!r}.")
        if prior == "vamp" and posterior != "diagonal":
            raise ValueError(f"the VampPrior needs posterior 'diagonal', found {posterior!r}.")
        self.assemble(shape, levels, latent_size, network, hidden, activation, likelihood, posterior, flows)
        self.given_prior, self.components, self.given_posterior, self.flows = prior, components, posterior, flows
        self.warmup_steps, self.free_bits = warmup_steps, free_bits
        self.learned_prior = {"mixture": lambda: priors.Mixture(components, latent_size),
                              "vamp": lambda: priors.PseudoInputs(components, self.shape),
                              "normal": lambda: None}[prior]()
        self.build()

    def get_config(self):
        return self.assembled() | dict(prior=self.given_prior, components=self.components,
                                       posterior=self.given_posterior, flows=self.flows, warmup_steps=self.warmup_steps,
                                       free_bits=self.free_bits)

    def prior(self):
        """p(z), a TFP distribution."""
        if self.given_prior == "normal":
            return priors.standard_normal(self.latent_size)
        return (
            self.learned_prior.distribution()
            if self.given_prior == "mixture"
            else priors.vamp(self.head(self.trunk(self.learned_prior.clipped())).distribution())
        )

    def kl(self, posterior, z, log_q):
        return super().kl(posterior, z, log_q) if self.given_prior == "normal" else log_q - self.log_prior(z)

    def terms(self, x, eps, condition=None, step=None):
        """{reconstruction: -log p(x|z), kl: KL(q(z|x) || p(z))}, each [batch]; at a training step the KL as the
        schedules weigh it."""
        posterior = self.posterior(x)
        z, log_q = posterior.draw(eps)
        kl = self.kl(posterior, z, log_q)
        if step is not None and self.free_bits:
            parts = (
                posterior.kls() if self.given_prior == "normal" and self.given_posterior == "diagonal" else kl[:, None]
            )
            kl = schedules.at_least(parts, self.free_bits * self.latent_size / parts.shape[-1])
        return {"reconstruction": -self.likelihood(z).log_prob(x), "kl": schedules.warmup(step, self.warmup_steps) * kl}
