"""VQ-VAE: an image is said by a grid of entries of a codebook, each the nearest to what an encoder puts there, and a
PixelCNN learns which grids there are.

A. van den Oord, O. Vinyals, K. Kavukcuoglu, Neural Discrete Representation Learning, 2017, arXiv:1711.00937. The
codebook follows the encoder by moving averages (appendix A.1). NOTE: entries that nobody uses are put where vectors
are, as P. Dhariwal et al., Jukebox, 2020, arXiv:2005.00341, do.
"""

import keras

from zoo.latent.parts.codebook_model import CodebookModel, make_prior
from zoo.layers.vector_quantizer import VectorQuantizer
from zoo.networks import strided
from zoo.networks.autoencoding import float32
from zoo.paper import Paper


class VQVAE(CodebookModel):
    """z_q(x) = e_k, k = argmin_j ||z_e(x) - e_j||^2 at each place;  L = -log p(x|z_q) + beta ||z_e - sg[e]||^2;  log
    p(x) >= log p(x|z_q(x)) + log p(k).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        codebook_size: K, entries of the codebook.
        embedding_size: D, numbers of an entry.
        channels: hidden units of encoder and decoder (the paper has 256).
        halvings: stride-2 convolutions: the grid's sides are the image's divided by 2^halvings.
        residuals: residual blocks of each network (the paper has 2).
        residual_channels: hidden units of a block.
        beta: weight of the commitment.
        decay: of the codebook's moving averages.
        revival: an entry that is used less than this share of an even use is put where a vector of the batch is; 0:
            none is.
        likelihood: of `zoo.latent.parts.observations`: `auto`, `bernoulli`, `categorical`, `discretized_logistic`,
            `continuous_bernoulli` or `gaussian`.
        prior: `gated_pixel_cnn`, or `image_gpt`, a transformer.
        prior_channels: features of the prior.
        prior_blocks: layers of the prior.
        autoencoder_steps: steps of the first stage, in which encoder, decoder and codebook learn; from then on the
            prior does, alone.
        classes: number of class labels that the prior is conditional on; None: none.

    Raises:
        ValueError: if `shape` is not an image's, or its sides are no multiples of 2^halvings, the codebook has fewer
            than two entries, a name is unknown, or a number is too small.
    """

    paper = Paper(("van den Oord", "Vinyals", "Kavukcuoglu"),
                  "Neural Discrete Representation Learning", 2017, "arXiv:1711.00937")

    def __init__(self, shape=(28, 28, 1), levels=2, codebook_size=128, embedding_size=32, channels=64, halvings=2,
                 residuals=2, residual_channels=32,
                 beta=0.25, decay=0.99, revival=0.05, likelihood="auto", prior="gated_pixel_cnn", prior_channels=64,
                 prior_blocks=8, autoencoder_steps=10_000, classes: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.assemble(shape, levels, likelihood, beta, autoencoder_steps, classes)
        grid = strided.grid(self.shape, halvings)
        sizes = channels, halvings, residuals, residual_channels
        self.channels, self.halvings, self.residuals, self.residual_channels = sizes
        self.given_prior, self.prior_channels, self.prior_blocks = prior, prior_channels, prior_blocks
        self.quantizers = [VectorQuantizer(codebook_size, embedding_size, grid[0] * grid[1], decay, revival)]
        self.encoder = strided.encoder(*sizes)
        self.to_latents = keras.layers.Conv2D(embedding_size, 1)
        self.decoder = strided.decoder(self.shape[-1] * self.observation.parameters, *sizes)
        self.code_priors = [make_prior(prior, grid, codebook_size, prior_channels, prior_blocks, classes)]
        self.autoencoder_layers, self.prior_layers = [self.encoder, self.to_latents, self.decoder], self.code_priors
        self.build()

    def get_config(self):
        book = self.quantizers[0]
        return dict(shape=self.shape, levels=self.levels, codebook_size=book.entries, embedding_size=book.size,
                    channels=self.channels, halvings=self.halvings, residuals=self.residuals,
                    residual_channels=self.residual_channels, beta=self.beta, decay=book.decay, revival=book.revival,
                    likelihood=self.given_likelihood, prior=self.given_prior, prior_channels=self.prior_channels,
                    prior_blocks=self.prior_blocks, autoencoder_steps=self.autoencoder_steps, classes=self.classes)

    def latents(self, x):
        z = float32(self.to_latents(self.encoder(self.observation.read(x))))
        return [(z, *self.quantizers[0].replace(z))]

    def parameters(self, entries):
        return self.to_pixels(self.decoder(entries[0]))

    def prior_condition(self, level, entries, condition):
        return condition
