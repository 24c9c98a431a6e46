"""VQ-VAE-2: two grids of codes, a coarse one for an image's shape and a fine one for its details, and a prior for each,
the fine one's given the coarse codes.

A. Razavi, A. van den Oord, O. Vinyals, Generating Diverse High-Fidelity Images with VQ-VAE-2, 2019, arXiv:1906.00446.
NOTE: the paper's priors are PixelSNAILs with attention at the top; here the top one is a Gated PixelCNN or a
transformer, the bottom one a Gated PixelCNN.
"""

import keras
import tensorflow as tf

from zoo.latent.parts.codebook_model import CodebookModel, make_prior
from zoo.layers.vector_quantizer import VectorQuantizer
from zoo.networks import strided
from zoo.networks.autoencoding import float32
from zoo.paper import Paper


class VQVAE2(CodebookModel):
    """top = q(E_top(h(x))), bottom = q(E_bottom(h(x), D_top(top)));  log p(x) >= log p(x|top, bottom) + log p(top) +
    log p(bottom|top)  (algorithms 1 and 2).

    Args:
        shape: (height, width, channels) of an image.
        levels: values of a pixel, of a discrete likelihood.
        codebook_size: K, entries of each codebook.
        embedding_size: D, numbers of an entry.
        channels: hidden units of encoders and decoders (the paper has 128).
        halvings: stride-2 convolutions to the bottom grid; the top grid's sides are half of its.
        residuals: residual blocks of each network (the paper has 2).
        residual_channels: hidden units of a block (the paper has 64).
        beta: weight of the commitment.
        decay: of the codebooks' moving averages.
        revival: an entry that is used less than this share of an even use is put where a vector of the batch is; 0:
            none is.
        likelihood: of `zoo.latent.parts.observations`: `auto`, `bernoulli`, `categorical`, `discretized_logistic`,
            `continuous_bernoulli` or `gaussian`.
        top_prior: `gated_pixel_cnn`, or `image_gpt`, which has attention.
        prior_channels: features of the priors.
        prior_blocks: layers of the priors.
        autoencoder_steps: steps of the first stage, in which encoders, decoders and codebooks learn; from then on the
            priors do, alone.
        classes: number of class labels that both priors are conditional on; None: none.

    Raises:
        ValueError: if `shape` is not an image's, or its sides are no multiples of 2^(halvings + 1), a codebook has
            fewer than two entries, a name is unknown, or a number is too small.
    """

    paper = Paper(("Razavi", "van den Oord", "Vinyals"),
                  "Generating Diverse High-Fidelity Images with VQ-VAE-2", 2019, "arXiv:1906.00446")

    level_names = ("top_", "bottom_")

    def __init__(self, shape=(32, 32, 3), levels=256, codebook_size=512, embedding_size=32, channels=64, halvings=2,
                 residuals=2, residual_channels=32,
                 beta=0.25, decay=0.99, revival=0.05, likelihood="discretized_logistic", top_prior="gated_pixel_cnn",
                 prior_channels=64, prior_blocks=8, autoencoder_steps=10_000, classes: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.assemble(shape, levels, likelihood, beta, autoencoder_steps, classes)
        (rows, columns), bottom = strided.grid(self.shape, halvings + 1), strided.grid(self.shape, halvings)
        blocks = residuals, residual_channels
        self.channels, self.halvings, self.residuals, self.residual_channels = channels, halvings, *blocks
        self.given_prior, self.prior_channels, self.prior_blocks = top_prior, prior_channels, prior_blocks
        self.quantizers = [VectorQuantizer(codebook_size, embedding_size, h * w, decay, revival)
                           for h, w in ((rows, columns), bottom)]
        self.encoder = strided.encoder(channels, halvings, *blocks)
        self.top_encoder = strided.encoder(channels, 1, *blocks, name="top_encoder")
        self.to_top, self.to_bottom = (keras.layers.Conv2D(embedding_size, 1) for _ in range(2))
        self.top_decoder = strided.decoder(channels, channels, 1, *blocks, name="top_decoder")
        self.enlarge = keras.layers.Conv2DTranspose(embedding_size, 4, 2, "same")
        self.decoder = strided.decoder(self.shape[-1] * self.observation.parameters, channels, halvings, *blocks)
        self.conditioner = [keras.layers.Conv2D(prior_channels, 3, padding="same", activation="relu") for _ in range(2)]
        self.code_priors = [make_prior(top_prior, (rows, columns), codebook_size, prior_channels, prior_blocks,
                                       classes),
                            make_prior("gated_pixel_cnn", bottom, codebook_size, prior_channels, prior_blocks,
                                       features=(*bottom, prior_channels))]
        self.autoencoder_layers = [self.encoder, self.top_encoder, self.to_top, self.top_decoder, self.to_bottom,
                                   self.enlarge, self.decoder]
        self.prior_layers = [*self.code_priors, *self.conditioner]
        self.build()

    def get_config(self):
        book = self.quantizers[0]
        return dict(shape=self.shape, levels=self.levels, codebook_size=book.entries, embedding_size=book.size,
                    channels=self.channels, halvings=self.halvings, residuals=self.residuals,
                    residual_channels=self.residual_channels, beta=self.beta, decay=book.decay, revival=book.revival,
                    likelihood=self.given_likelihood, top_prior=self.given_prior, prior_channels=self.prior_channels,
                    prior_blocks=self.prior_blocks, autoencoder_steps=self.autoencoder_steps, classes=self.classes)

    def latents(self, x):
        h = self.encoder(self.observation.read(x))
        z = float32(self.to_top(self.top_encoder(h)))
        q, codes = self.quantizers[0].replace(z)
        fine = float32(self.to_bottom(tf.concat([h, self.top_decoder(q)], -1)))
        return [(z, q, codes), (fine, *self.quantizers[1].replace(fine))]

    def parameters(self, entries):
        top, bottom = entries
        return self.to_pixels(self.decoder(tf.concat([float32(self.enlarge(top)), bottom], -1)))

    def prior_condition(self, level, entries, condition):
        """Returns the class for the top; for the bottom features of the top's entries and of the class, each for the
        four places under it."""
        if level == 0:
            return condition
        h = entries[0]
        if self.classes:
            label = tf.one_hot(condition, self.classes)[:, None, None]
            h = tf.concat([h, tf.tile(label, [1, *h.shape[1:3], 1])], -1)
        for layer in self.conditioner:
            h = layer(h)
        return tf.repeat(tf.repeat(float32(h), 2, 1), 2, 2)
