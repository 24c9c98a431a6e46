"""What models with one vector of latents share: an encoder, a decoder, and the bound with its KL term in closed
form."""

from zoo import random
from zoo.latent.parts import observations, posteriors, priors
from zoo.latent.parts.image_vae import ImageVAE, flatly
from zoo.model import image_shape
from zoo.networks import autoencoding


class OneLayer(ImageVAE):
    """p(z) = N(0, I), p(x|z) by a decoder, q(z|x) by an encoder; a subclass calls `assemble` in its constructor, before
    `build`."""

    def assemble(self, shape, levels, latent_size, network, hidden, activation, likelihood, posterior="diagonal",
                 flows=0):
        """Makes the networks. Raises ValueError for the shape of anything but an image, an unknown name, or a number
        that is too small."""
        if latent_size < 1:
            raise ValueError(f"latent_size must be at least 1, found {latent_size}.")
        self.shape, self.levels, self.latent_size, self.noise_size = (
            image_shape(shape),
            levels,
            latent_size,
            latent_size,
        )
        self.network, self.hidden, self.activation, self.given_likelihood = (
            network,
            tuple(hidden),
            activation,
            likelihood,
        )
        self.observation = observations.make(likelihood, levels)
        self.trunk = autoencoding.trunk(network, self.hidden, activation)
        self.decoder = autoencoding.decoder(network, *self.observation.layout(self.shape), self.hidden, activation)
        self.head = posteriors.make(posterior, latent_size, flows)

    def assembled(self):
        """The arguments of `assemble`, for `get_config`, but for those of the posterior."""
        return dict(shape=self.shape, levels=self.levels, latent_size=self.latent_size, network=self.network,
                    hidden=self.hidden, activation=self.activation, likelihood=self.given_likelihood)

    def prior(self):
        """p(z), a TFP distribution."""
        return priors.standard_normal(self.latent_size)

    def posterior(self, x):
        """q(z|x): an object of `zoo.latent.parts.posteriors`."""
        return self.head(self.trunk(self.observation.read(x)))

    def approximate(self, x, condition=None):
        return self.posterior(x).draw

    def log_prior(self, z, condition=None):
        return priors.log_prob(self.prior(), z)

    def prior_density(self, condition=None):
        prior = self.prior()
        return lambda z: priors.log_prob(prior, z)

    def draw_prior(self, seeds, condition=None):
        return priors.draw_rows(self.prior(), seeds, self.latent_size)

    def parameters(self, z, condition=None):
        return autoencoding.float32(flatly(self.decoder, z))

    def kl(self, posterior, z, log_q):
        """KL(q(z|x) || p(z)), [batch]: in closed form where there is one, else at one draw z."""
        closed = posterior.kl()
        return log_q - self.log_prior(z) if closed is None else closed

    def terms(self, x, eps, condition=None, step=None):
        """{reconstruction: -log p(x|z), kl: KL(q(z|x) || p(z))}, each [batch]."""
        posterior = self.posterior(x)
        z, log_q = posterior.draw(eps)
        return {"reconstruction": -self.likelihood(z).log_prob(x), "kl": self.kl(posterior, z, log_q)}

    def rate_distortion(self, x, seeds, condition=None):
        self.domain.require(condition)
        terms = self.terms(x, random.normal_rows(seeds, [self.noise_size]))
        return terms["kl"], terms["reconstruction"]

    def _encode(self, x, condition=None):
        """The posterior's mean, [batch, latent_size]."""
        return self.posterior(x).mean()

    def _decode(self, z, condition=None):
        """The mean of p(x|z), in the domain's unit."""
        return self.observation.mean(self.parameters(z))
