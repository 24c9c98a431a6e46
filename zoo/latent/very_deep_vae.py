"""Very deep VAE: latents on grids from coarse to fine, tens of layers of them, each drawn given all layers before it.

The posterior takes the same way down as the prior and reads, at every block, what an encoder found at that block's
resolution; so image and prior meet in every layer. R. Child, Very Deep VAEs Generalize Autoregressive Models and Can
Outperform Them on Images, 2021, arXiv:2011.10650. The log-scales' smooth bound: A. Vahdat, J. Kautz, 2020,
arXiv:2007.03898, appendix A.
"""

import math

import tensorflow as tf

from zoo import random
from zoo.latent.parts import observations
from zoo.latent.parts.image_vae import ImageVAE
from zoo.latent.parts.top_down import TopDown
from zoo.model import image_shape
from zoo.networks.autoencoding import float32
from zoo.networks.bottleneck import Bottleneck, convolution
from zoo.paper import Paper

_BIASED = 64  # pixels: grids that are larger have no learned bias
_CHUNK, _ENTRIES = 50, 1 << 23  # importance samples in memory at once, and features that they may take, of an image
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)


class VeryDeepVAE(ImageVAE):
    """p(x|z) prod_l p(z_l|z_<l),  q(z|x) = prod_l q(z_l|z_<l, x), all z_l diagonal Gaussians on grids, coarse ones
    first; log p(x) >= E_q[log p(x|z)] - sum_l KL_l.

    Down from h = bias: at a finer grid h <- bias + upsampled h; in every block h <- h + features(h), h <- h + W z_l, h
    <- h + f(h), with z_l ~ N(loc, scale^2), whose parameters the block reads off h, and for the posterior off h and the
    encoder's features of that grid. A layer's log-scale is 5 tanh(. / 5).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        width: features of the residual paths, up and down.
        bottleneck: features inside a residual block.
        latent_channels: latents of a layer at a place of its grid.
        rates: how many times coarser each grid is than the one before, by average pooling up and repetition down; sizes
            are rounded up.
        encoder_blocks: residual blocks of each grid, the finest first; one more leads to each coarser grid.
        decoder_blocks: layers of latents of each grid, the finest first.
        likelihood: a name of `zoo.latent.parts.observations`, or `auto`.
        components: of the likelihood `discretized_logistic_mixture`.

    Raises:
        ValueError: if `shape` is not an image's, there is not one number of blocks for each grid, a name is unknown, or
            a number is too small.
    """

    paper = Paper(("Child",),
                  "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
                  2021, "arXiv:2011.10650")

    def __init__(self, shape=(28, 28, 1), levels=2, width=64, bottleneck=16, latent_channels=8, rates=(2, 2, 2),
                 encoder_blocks=(2, 2, 2, 1), decoder_blocks=(4, 3, 2, 1), likelihood="auto", components=10, **kwargs):
        super().__init__(**kwargs)
        if not len(encoder_blocks) == len(decoder_blocks) == len(rates) + 1 or min(rates, default=2) < 2:
            raise ValueError("rates must be at least 2, and encoder_blocks and decoder_blocks have one entry for each "
                             "grid, one more than rates, "
                             f"found {tuple(rates)}, {tuple(encoder_blocks)} and {tuple(decoder_blocks)}.")
        if min(width, bottleneck, latent_channels, *encoder_blocks, *decoder_blocks) < 1:
            raise ValueError("width, bottleneck, latent_channels and each number of blocks must be at least 1, "
                             f"found {width}, {bottleneck}, {latent_channels}, {tuple(encoder_blocks)} and "
                             f"{tuple(decoder_blocks)}.")
        self.shape, self.levels, self.width, self.bottleneck = image_shape(shape), levels, width, bottleneck
        self.latent_channels = latent_channels
        self.rates, self.encoder_blocks = tuple(rates), tuple(encoder_blocks)
        self.decoder_blocks = tuple(decoder_blocks)
        self.given_likelihood, self.components = likelihood, components
        self.observation = observations.make(likelihood, levels, components)
        self.grids = [self.shape[:2]]
        for rate in self.rates:
            self.grids.append(tuple(-(-n // rate) for n in self.grids[-1]))
        # of each layer, the one next to the image first
        self.grid_of = [k for k, number in enumerate(self.decoder_blocks) for _ in range(number)]
        self.sizes = [math.prod(self.grids[k]) * latent_channels for k in self.grid_of]
        self.noise_size = sum(self.sizes)
        sizes = [3 if min(grid) > 2 else 1 for grid in self.grids]  # of kernels
        up = (sum(encoder_blocks) + len(rates)) ** -0.5
        self.read = convolution(width, 3, name="read")
        counts = [number + (k < len(rates)) for k, number in enumerate(encoder_blocks)]
        self.up = [[Bottleneck(width, bottleneck, size, up) for _ in range(n)] for size, n in zip(sizes, counts)]
        self.down = [TopDown(width, bottleneck, latent_channels, sizes[k], len(self.sizes) ** -0.5)
                     for k in self.grid_of]
        # NOTE: the paper's biases start at zero; the coarsest grid's first prior network reads nothing else.
        self.biases = [self._bias(grid, coarsest=k == len(rates)) for k, grid in enumerate(self.grids)]
        self.head = convolution(math.prod(self._layout()) // math.prod(self.shape[:2]), 1, name="head")
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, width=self.width, bottleneck=self.bottleneck,
                    latent_channels=self.latent_channels, rates=self.rates, encoder_blocks=self.encoder_blocks,
                    decoder_blocks=self.decoder_blocks, likelihood=self.given_likelihood, components=self.components)

    def _bias(self, grid, coarsest):
        if max(grid) > _BIASED and not coarsest:
            return None
        return self.add_weight((*grid, self.width), "random_normal", name="bias")

    def evidence(self, x):
        """Returns what the encoder finds at each grid, the finest first: [batch, *grid, width]."""
        found, h = [], self.read(self.observation.read(x))
        for k, blocks in enumerate(self.up):
            for block in blocks[:self.encoder_blocks[k]]:
                h += block(h)
            found.append(h)
            if k < len(self.rates):
                h = tf.nn.avg_pool2d(h + blocks[-1](h), self.rates[k], self.rates[k], "SAME")
        return found

    def descend(self, rows, choose):
        """Computes features [rows, height, width, width], from the top down: choose(layer, h, prior) gives the latents
        of each layer, [rows, *grid, latent_channels]."""
        h, grid = None, len(self.grids)
        for layer, block in reversed(list(enumerate(self.down))):
            if self.grid_of[layer] < grid:
                grid = self.grid_of[layer]
                h = self._enter(grid, h, rows)
            prior, after = block.prior(h)
            h = block.add(after, choose(layer, h, prior))
        return h

    def _enter(self, k, h, rows):
        """Returns the features with which grid k begins: its bias, and those of the coarser grid repeated."""
        height, width = self.grids[k]
        if h is not None:
            h = tf.repeat(tf.repeat(h, self.rates[k], 1), self.rates[k], 2)[:, :height, :width]
        if self.biases[k] is None:
            return h
        bias = tf.cast(tf.convert_to_tensor(self.biases[k]), self.compute_dtype)
        return tf.repeat(bias[None], rows, 0) if h is None else bias + h

    def path(self, x, eps, prepared=None):
        """Returns (features, z, KL(q(z_l|z_<l, x) || p(z_l|z_<l)), log q, log p) at the latents that eps [..., batch,
        noise_size] gives.

        The last four are lists, the layer next to the image first: z_l [..., batch, sizes[l]], the others [..., batch].
        `prepared`: `evidence(x)`, if it is there.
        """
        lead, flat = tf.shape(eps)[:-1], tf.reshape(eps, [-1, self.noise_size])
        parts, rows = self._grids_of(tf.split(flat, self.sizes, -1)), tf.shape(flat)[0]
        found = self.evidence(x) if prepared is None else prepared
        if eps.shape.rank > 2:
            found = [tf.tile(f, [rows // tf.shape(f)[0], 1, 1, 1]) for f in found]
        z, kls, log_qs, log_ps = ([None] * len(self.down) for _ in range(4))

        def choose(layer, h, prior):
            posterior = self.down[layer].posterior(h, found[self.grid_of[layer]])
            own = posterior[0] + tf.exp(posterior[1]) * parts[layer]
            for kept, value in ((kls, kl(*posterior, *prior)), (log_qs, log_density(own, *posterior)),
                                (log_ps, log_density(own, *prior))):
                kept[layer] = tf.reshape(value, lead)
            z[layer] = tf.reshape(own, tf.concat([lead, [self.sizes[layer]]], 0))
            return own

        return self.descend(rows, choose), z, kls, log_qs, log_ps

    def approximate(self, x, condition=None):
        found = self.evidence(x)

        def draw(eps):
            _, z, _, log_qs, _ = self.path(x, eps, found)
            return tuple(z), tf.add_n(log_qs)

        return draw

    def log_prior(self, z, condition=None):
        given, found = self._grids_of(z), []

        def choose(layer, h, prior):
            found.append(tf.reshape(log_density(given[layer], *prior), tf.shape(z[0])[:-1]))
            return given[layer]

        self.descend(tf.shape(given[0])[0], choose)
        return tf.add_n(found)

    def parameters(self, z, condition=None):
        given = self._grids_of(z)
        return self._observed(self.descend(tf.shape(given[0])[0], lambda layer, h, prior: given[layer]),
                              tf.shape(z[0])[:-1])

    def dream(self, seeds):
        """Returns (features, z) of z ~ p(z), a row for each seed."""
        noise, z = random.normal_rows(seeds, [self.noise_size]), [None] * len(self.down)
        parts = self._grids_of(tf.split(noise, self.sizes, -1))

        def choose(layer, h, prior):
            own = prior[0] + tf.exp(prior[1]) * parts[layer]
            z[layer] = tf.reshape(own, [-1, self.sizes[layer]])
            return own

        return self.descend(tf.shape(seeds)[0], choose), tuple(z)

    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x|z), z_l ~ p(z_l|z_<l) from the coarsest layer on."""
        self.domain.require(condition)
        return self.draw_image(self.draw_parameters(random.fold_in_rows(seeds, 0)), random.fold_in_rows(seeds, 1))

    def draw_prior(self, seeds, condition=None):
        return self.dream(seeds)[1]

    def draw_parameters(self, seeds, condition=None):
        return self._observed(self.dream(seeds)[0], tf.shape(seeds)[:1])

    def terms(self, x, eps, condition=None, step=None):
        """Returns {reconstruction: -log p(x|z), kl_1, ..., kl_L: each layer's KL given those before it, the one next to
        the image first}, [batch] each: minus their sum is the bound."""
        h, _, kls, _, _ = self.path(x, eps)
        likelihood = self.observation.distribution(self._observed(h, tf.shape(eps)[:-1]))
        return {"reconstruction": -likelihood.log_prob(x)} | {f"kl_{layer}": kl for layer, kl in enumerate(kls, 1)}

    def weigher(self, x, condition=None):
        found = self.evidence(x)

        def log_weight(eps):
            h, _, _, log_qs, log_ps = self.path(x, eps, found)
            likelihood = self.observation.distribution(self._observed(h, tf.shape(eps)[:-1]))
            return likelihood.log_prob(x) + tf.add_n(log_ps) - tf.add_n(log_qs)

        return log_weight

    @property
    def chunk(self):
        """Importance samples in memory at once: fewer for larger images and wider networks, and 50 at most."""
        largest = max(math.prod(self.shape[:2]) * 4 * self.width, self.noise_size, math.prod(self._layout()))
        return max(1, min(_CHUNK, _ENTRIES // largest))

    def _encode(self, x, condition=None):
        """Returns the latents at the posteriors' means from the top down, the layer next to the image first, [batch,
        noise_size]."""
        return tf.concat(self.path(x, tf.zeros([tf.shape(x)[0], self.noise_size]))[1], -1)

    def _decode(self, z, condition=None):
        """Computes the mean of p(x|z), in the domain's unit."""
        return self.observation.mean(self.parameters(tf.split(z, self.sizes, -1)))

    def _grids_of(self, layers):
        """Reshapes [..., sizes[l]] of each layer to [rows, *grid, latent_channels]."""
        return [tf.reshape(z, [-1, *self.grids[k], self.latent_channels]) for z, k in zip(layers, self.grid_of)]

    def _layout(self):
        shape, parameters = self.observation.layout(self.shape)
        return *shape, parameters

    def _observed(self, h, lead):
        """Computes what p(x|z) is made of, [*lead, ...]."""
        return float32(tf.reshape(self.head(h), tf.concat([lead, self._layout()], 0)))


def kl(loc, log_scale, prior_loc, prior_log_scale):
    """Computes KL(N(loc, exp(log_scale)^2) || N(prior_loc, exp(prior_log_scale)^2)), summed over all dimensions but the
    first."""
    log_ratio = log_scale - prior_log_scale
    squares = tf.exp(2.0 * log_ratio) + ((loc - prior_loc) * tf.exp(-prior_log_scale)) ** 2
    return tf.reduce_sum(0.5 * (squares - 1.0) - log_ratio, [1, 2, 3])


def log_density(z, loc, log_scale):
    """Computes log N(z; loc, exp(log_scale)^2), summed over all dimensions but the first."""
    return tf.reduce_sum(-0.5 * ((z - loc) * tf.exp(-log_scale)) ** 2 - log_scale - _LOG_ROOT, [1, 2, 3])
