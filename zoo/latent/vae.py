"""Variational autoencoder: a latent Gaussian decoded to an image, and a Gaussian posterior whose parameters a network
reads off the image.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2013, arXiv:1312.6114. KL warm-up: C. K. Sonderby et al.,
2016, arXiv:1602.02282; free bits: D. P. Kingma et al., 2016, arXiv:1606.04934; learned priors: J. M. Tomczak, M.
Welling, 2018, arXiv:1705.07120.
"""

from zoo import random
from zoo.latent.parts import observations, posteriors, priors, schedules
from zoo.latent.parts.image_vae import ImageVAE, flatly
from zoo.model import image_shape
from zoo.networks import autoencoding
from zoo.paper import Paper


class VAE(ImageVAE):
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

    paper = Paper(("Kingma", "Welling"), "Auto-Encoding Variational Bayes", 2013, "arXiv:1312.6114")

    def __init__(self, shape=(28, 28, 1), levels=2, latent_size=16, network="dense", hidden=(200, 200),
                 activation="tanh", likelihood="auto", prior="normal", components=500, posterior="diagonal", flows=0,
                 warmup_steps=0, free_bits=0.0, **kwargs):
        super().__init__(**kwargs)
        if components < 1 or warmup_steps < 0 or free_bits < 0:
            raise ValueError("components must be at least 1, warmup_steps and free_bits not negative, found "
                             f"{components}, {warmup_steps} and {free_bits}.")
        priors.require(prior, posterior)
        if latent_size < 1:
            raise ValueError(f"latent_size must be at least 1, found {latent_size}.")
        self.shape, self.levels, self.latent_size, self.network = image_shape(shape), levels, latent_size, network
        self.hidden, self.activation, self.given_likelihood = tuple(hidden), activation, likelihood
        self.given_prior, self.components, self.given_posterior, self.flows = prior, components, posterior, flows
        self.warmup_steps, self.free_bits, self.noise_size = warmup_steps, free_bits, latent_size
        self.observation = observations.make(likelihood, levels)
        self.trunk = autoencoding.trunk(network, self.hidden, activation)
        self.decoder = autoencoding.decoder(network, *self.observation.layout(self.shape), self.hidden, activation)
        self.head = posteriors.make(posterior, latent_size, flows)
        self.learned_prior = priors.make(prior, components, latent_size, self.shape)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, network=self.network,
                    hidden=self.hidden, activation=self.activation, likelihood=self.given_likelihood,
                    prior=self.given_prior, components=self.components, posterior=self.given_posterior,
                    flows=self.flows, warmup_steps=self.warmup_steps, free_bits=self.free_bits)

    def posterior(self, x):
        """Returns q(z|x), the encoder: an object of `zoo.latent.parts.posteriors`."""
        return self.head(self.trunk(self.observation.read(x)))

    def prior(self):
        """Returns p(z), a TFP distribution."""
        if self.given_prior == "mixture":
            return self.learned_prior.distribution()
        if self.given_prior == "vamp":
            return priors.vamp(self.head(self.trunk(self.learned_prior.clipped())).distribution())
        return priors.standard_normal(self.latent_size)

    def parameters(self, z, condition=None):
        """Computes what p(x|z) (`likelihood`) is made of: the decoder."""
        return autoencoding.float32(flatly(self.decoder, z))

    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|z), kl: KL(q(z|x) || p(z))}, [batch] each, at the z ~ q(z|x) that eps
        gives: minus their sum is the bound; at a training step, where the schedules weigh the KL, the loss."""
        posterior = self.posterior(x)
        z, log_q = posterior.draw(eps)
        kl = self.kl(posterior, z, log_q)
        if step is not None and self.free_bits:
            kl = self._beyond_free_bits(posterior, kl)
        return {"reconstruction": -self.likelihood(z).log_prob(x), "kl": schedules.warmup(step, self.warmup_steps) * kl}

    def kl(self, posterior, z, log_q):
        """Computes KL(q(z|x) || p(z)), [batch]: in closed form where there is one, else log q(z|x) - log p(z) at z."""
        closed = posterior.kl() if self.given_prior == "normal" else None
        return log_q - self.log_prior(z) if closed is None else closed

    def _beyond_free_bits(self, posterior, kl):
        independent = self.given_prior == "normal" and self.given_posterior == "diagonal"
        parts = posterior.kls() if independent else kl[:, None]
        return schedules.at_least(parts, self.free_bits * self.latent_size / parts.shape[-1])

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|z), z ~ p(z)."""
        self.domain.require(condition)
        z = self.draw_prior(random.fold_in_rows(seeds, 0))
        return self.draw_image(self.parameters(z), random.fold_in_rows(seeds, 1))

    def draw_prior(self, seeds, condition=None):
        return priors.draw_rows(self.prior(), seeds, self.latent_size)

    def log_prior(self, z, condition=None):
        return self.prior_density()(z)

    def prior_density(self, condition=None):
        prior = self.prior()
        return lambda z: priors.log_prob(prior, z)

    def approximate(self, x, condition=None):
        return self.posterior(x).draw

    def _encode(self, x, condition=None):
        """Returns the posterior's mean, [batch, latent_size]."""
        return self.posterior(x).mean()
