"""PixelCNN++: pixels drawn whole, from a discretized mixture of logistics, by two streams of shifted convolutions over
several resolutions.

The vertical stream sees the rows above, the horizontal one also the pixels to the left; both go down to coarser images
and up again, with skip connections, so that a pixel sees far. Sampling remembers every layer (`pixel_cnn_pp_sampler`).
T. Salimans, A. Karpathy, X. Chen, D. P. Kingma, PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
Likelihood and Other Modifications, 2017, arXiv:1701.05517.
"""

import keras
import tensorflow as tf

from zoo import random
from zoo.autoregressive.parts import pixel_cnn_pp_sampler
from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.distributions import discretized_logistic_mixture as dlm
from zoo.distributions import pixels
from zoo.domain import condition_of
from zoo.layers.shifted_convolution import GatedResidual, ShiftedConv2D, ShiftedConv2DTranspose, down_shift, right_shift
from zoo.model import Domain, image_shape
from zoo.paper import Paper


class Scale(keras.layers.Layer):
    """The streams (u, v), vertical and horizontal, at one resolution and all coarser ones (figure 2): up, through the
    coarser ones, and down.

    Args:
        channels: features of each stream.
        blocks: gated residual blocks of each stream on the way up; on the way down there is one more, but not at the
            coarsest resolution.
        rate: of the dropout in the blocks.
        classes: number of class labels, each with a bias in every block; None: unconditional.
        inner: the `Scale` of half the resolution, or None.
    """

    def __init__(self, channels, blocks, rate, classes, inner, **kwargs):
        super().__init__(**kwargs)
        vertical, horizontal, last = ((2, 3), "down"), ((2, 2), "down_right"), inner is None
        self.channels, self.blocks, self.classes, self.inner = channels, blocks, classes, inner
        self.up = [GatedResidual(channels, *kind, rate, joined=kind is horizontal) for _ in range(blocks)
                   for kind in (vertical, horizontal)]
        self.reduce = [] if last else [ShiftedConv2D(channels, *kind, strides=2) for kind in (vertical, horizontal)]
        self.expand = []
        if not last:
            self.expand = [ShiftedConv2DTranspose(channels, size[1], direction)
                           for size, direction in (vertical, horizontal)]
        self.down = [GatedResidual(channels, *kind, rate, joined=True) for _ in range(blocks + (not last))
                     for kind in (vertical, horizontal)]
        shape = (classes, len(self.up + self.down) * 2 * channels)
        self.class_bias = self.add_weight(shape, "random_normal", name="class_bias") if classes else None

    def call(self, u, v, condition=None, seed=None):
        """Maps (u, v), each [B, H, W, channels], to the same shapes."""
        biases = (None if bias is None else bias[:, None, None] for bias in self.biases(condition))
        seeds = iter([None] * len(self.up + self.down) if seed is None
                     else random.split(random.fold_in(seed, 0), len(self.up + self.down)))
        skips = [(u, v)]
        for above, left in pairs(self.up):
            u = above(u, bias=next(biases), seed=next(seeds))
            v = left(v, [u], next(biases), next(seeds))
            skips.append((u, v))
        if self.inner is None:
            skips.pop()
        else:
            u, v = self.inner(self.reduce[0](u), self.reduce[1](v), condition,
                              None if seed is None else random.fold_in(seed, 1))
            u, v = self.expand[0](u), self.expand[1](v)
        for above, left in pairs(self.down):
            skip_u, skip_v = skips.pop()
            u = above(u, [skip_u], next(biases), next(seeds))
            v = left(v, [u, skip_v], next(biases), next(seeds))
        return u, v

    def biases(self, condition):
        """Returns what the class adds in each block, [B, 2 channels], or None: an iterator over up's blocks, then
        down's."""
        number = len(self.up + self.down)
        if not self.classes:
            return iter([None] * number)
        # The factor makes the gradient dense, as clipping and all-reducing want it; `gather` refuses a label that there
        # isn't.
        return iter(tf.split(tf.gather(1.0 * tf.convert_to_tensor(self.class_bias), condition), number, axis=-1))


def pairs(layers):
    """Returns the pairs [(vertical, horizontal), ...] of a list in which they take turns."""
    return list(zip(layers[::2], layers[1::2]))


class PixelCNNPP(Autoregressive):
    """log p(x) = sum over pixels i of log p(x_i | x_<i), each p a mixture over all channels of the pixel
    (`discretized_logistic_mixture`).

    Two levels of one channel have a Bernoulli pixel instead. NOTE: the image is shifted before the first convolutions,
    not after, so that their biases reach the first row and column; lengths of kernels start at a constant
    (`weight_norm`).

    Args:
        shape: (height, width, channels) of an image, at most 3 channels.
        levels: values of a pixel's channel.
        channels: features of each stream (the paper has 160 or 192).
        blocks: gated residual blocks of each stream at each resolution, up (the paper has 5); one more, down.
        resolutions: 1 + how often the image is halved on the way (the paper has 3).
        components: of the mixture (the paper has 10).
        dropout: rate, in every block (the paper has 0.5).
        classes: number of class labels to condition on, each with a bias of its own in every block; None:
            unconditional.

    Raises:
        ValueError: if `shape` is not an image's, has more than 3 channels, or does not divide by 2^(resolutions - 1); a
            number is too small; the dropout is outside of [0, 1); or two levels have several channels.
    """

    paper = Paper(("Salimans", "Karpathy", "Chen", "Kingma"),
                  "PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture Likelihood and Other "
                  "Modifications",
                  2017, "arXiv:1701.05517")

    def __init__(self, shape=(32, 32, 3), levels=256, channels=32, blocks=2, resolutions=3, components=5, dropout=0.0,
                 classes=None, **kwargs):
        super().__init__(**kwargs)
        if min(blocks, channels, resolutions, components) < 1 or levels < 2 or (classes is not None and classes < 1):
            raise ValueError("levels must be at least 2; channels, blocks, resolutions, components and classes at "
                             "least 1; "
                             f"found {levels}, {channels}, {blocks}, {resolutions}, {components} and {classes}.")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), found {dropout}.")
        height, width, colours = image_shape(shape)
        if height % 2**(resolutions - 1) or width % 2**(resolutions - 1):
            raise ValueError(f"height and width must divide by {2**(resolutions - 1)} for {resolutions} resolutions, "
                             f"found {height} and {width}.")
        if colours > 3 or (levels == 2 and colours > 1):
            raise ValueError(f"an image has at most 3 channels, and 1 if it has two levels; found {colours} channels "
                             f"and {levels} levels.")
        self.shape, self.levels, self.channels, self.blocks = (height, width, colours), levels, channels, blocks
        self.resolutions, self.components, self.dropout, self.classes = resolutions, components, dropout, classes
        self.first = [ShiftedConv2D(channels, *kind)
                      for kind in (((2, 3), "down"), ((1, 3), "down"), ((2, 1), "down_right"))]
        self.streams = None
        for _ in range(resolutions):
            self.streams = Scale(channels, blocks, dropout, classes, self.streams)
        self.head = ShiftedConv2D(1 if levels == 2 else components * dlm.size(colours), (1, 1))
        self.build()

    def get_config(self):
        return dict(shape=self.shape, levels=self.levels, channels=self.channels, blocks=self.blocks,
                    resolutions=self.resolutions,
                    components=self.components, dropout=self.dropout, classes=self.classes)

    @property
    def domain(self):
        return Domain("binary" if self.levels == 2 else "levels", self.shape, self.levels,
                      condition=condition_of(self.classes))

    @property
    def scales(self):
        """The `Scale`s, finest first."""
        scales = [self.streams]
        while scales[-1].inner is not None:
            scales.append(scales[-1].inner)
        return scales

    def parameters(self, x, condition=None, seed=None):
        """Returns what each pixel's distribution is made of, [B, H, W, components * size] (`dlm.mixture`), or a logit
        where there are two levels."""
        self.domain.require(condition)
        x = self.embed(x)
        above, left = down_shift(x), right_shift(x)
        u, v = self.streams(self.first[0](above), self.first[1](above) + self.first[2](left), condition, seed)
        return tf.cast(self.head(tf.nn.elu(v)), tf.float32)

    def embed(self, x):
        """Returns what the network reads of pixels: their levels on [-1, 1], and a one that tells them from the
        padding, [..., channels + 1]."""
        x = pixels.centre(x, self.levels)
        return tf.concat([x, tf.ones_like(x[..., :1])], -1)

    def distribution(self, parameters):
        if self.levels == 2:
            return pixels.pixels(parameters, 2)
        return dlm.mixture(parameters, self.levels, self.shape[-1])

    def noise(self, seeds):
        if self.levels == 2:
            return pixels.noise_rows(seeds, self.shape, 2)
        return dlm.noise_rows(seeds, self.shape, self.components)

    def from_noise(self, parameters, noise):
        if self.levels == 2:
            return pixels.from_noise(parameters, noise, 2)
        return dlm.draw(parameters, noise, self.levels, self.shape[-1])

    @tf.function(reduce_retracing=True, autograph=False)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws pixel by pixel, each layer's earlier outputs remembered; computed in float32 whatever the dtype
        policy."""
        self.domain.require(condition)
        return pixel_cnn_pp_sampler.generate(self, noise, condition, x, known)
