"""Sketch-RNN's decoder alone: a drawing as a product over the steps of the pen, each predicted by a recurrent network
from the steps before it.

D. Ha, D. Eck, A Neural Representation of Sketch Drawings, 2017, arXiv:1704.03477, section 3.4, unconditional
generation. With an encoder and codes: `zoo.latent.sketch_rnn`.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from zoo.autoregressive.parts.autoregressive import Autoregressive
from zoo.control import Control
from zoo.distributions import strokes
from zoo.domain import condition_of
from zoo.model import Domain, Player, split_batch
from zoo.networks.sketching import SketchDecoder
from zoo.paper import Paper

tfd = tfp.distributions


class UnconditionalSketchRNN(Autoregressive):
    """log p(S) = sum_{i <= N} log p(dx_i, dy_i | S_<i) + sum_{i <= N+1} log p(pen_i | S_<i), with an LSTM that starts
    from zeros.

    N is the number of steps before the sketch ends, at most T. The step that ends it has no offset, and after it all is
    certain: p is a density of sketches of every length, with respect to the area of each offset, and sums and
    integrates to one over all of them.

    Args:
        shape: (T, 5) of a sketch in the paper's format, offsets in units of their standard deviation.
        units: of the LSTM.
        components: of the mixture of an offset, M.
        dropout: rate of the recurrent dropout, in [0, 1).
        classes: number of class labels to condition on, or None.

    Raises:
        ValueError: if `shape` is not (T, 5), a size is below 1, or the rate is none.
    """

    paper = Paper(("Ha", "Eck"), "A Neural Representation of Sketch Drawings", 2017, "arXiv:1704.03477")

    controls = {"temperature": Control(*strokes.TEMPERATURE, of=("sample", "complete"))}

    # NOTE: the paper's pen loss counts the padding after the end as well; see `zoo.latent.sketch_rnn`.

    def __init__(self, shape=(64, 5), units=128, components=10, dropout=0.1, classes: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if min(units, components) < 1 or (classes is not None and classes < 1) or not 0 <= dropout < 1:
            raise ValueError("units, components and classes must be at least 1 and dropout in [0, 1), found "
                             f"{units}, {components}, {classes} and {dropout}.")
        self.shape, self.units, self.components, self.dropout = strokes.sketch_shape(shape), units, components, dropout
        self.classes = classes
        self.decoder = SketchDecoder(units, 6 * components + 3, classes or 0, dropout)
        self.build()

    def get_config(self):
        return dict(shape=self.shape, units=self.units, components=self.components, dropout=self.dropout,
                    classes=self.classes)

    @property
    def domain(self):
        return Domain("strokes", self.shape, condition=condition_of(self.classes))

    def parameters(self, x, condition=None, seed=None):
        """Returns those of every p(S_i | S_<i) (`strokes` says which), [batch, T, 6 M + 3]."""
        return strokes.certain(self.decoder(x, self._given(condition), lengths=strokes.lengths(x), seed=seed),
                               strokes.over(x))

    def distribution(self, parameters):
        return tfd.Independent(strokes.Strokes(parameters), 1)

    def objective(self, batch, seed):
        x, condition = split_batch(batch)
        steps = strokes.Strokes(self.parameters(x, condition, seed))
        return {"offsets": -tf.reduce_sum(steps.offset_log_prob(x), -1),
                "pen": -tf.reduce_sum(steps.pen_log_prob(x), -1)}

    def players(self):
        return (Player("model", self.trainable_weights, self.objective),)

    def noise(self, seeds):
        return strokes.noise_rows(seeds, self.shape[0])

    def from_noise(self, parameters, noise):
        return strokes.from_noise(parameters, noise)

    @tf.function(autograph=False, reduce_retracing=True)
    def generate(self, noise, condition=None, x=None, known=None):
        """Draws a step of all sketches at a time until all have ended; in float32 whatever the dtype policy."""
        return self._draw(noise, condition, x, known, 1.0)

    def _sample(self, seeds, condition=None, temperature=None):
        """Draws S ~ p(S) at a temperature, float32 [batch]: logits divided by it, variances times it; 1, or None, is
        the model, less is safer."""
        if temperature is None:
            return super()._sample(seeds, condition)
        return self._at(self.noise(seeds), temperature, None, None, condition)

    def _complete(self, x, mask, seeds, condition=None, temperature=None):
        """Completes as `Autoregressive` does; at a temperature each step is drawn in its turn, whatever is known after
        it."""
        if temperature is None:
            return super()._complete(x, mask, seeds, condition)
        return self._at(self.noise(seeds), temperature, x, mask, condition)

    @tf.function(autograph=False, reduce_retracing=True)
    def _at(self, noise, temperature, x, known, condition):
        return self._draw(noise, condition, x, known, temperature)

    def _draw(self, noise, condition, x, known, temperature):
        steps = tf.transpose(noise, [1, 0, 2])  # [T, batch, 4]
        if known is not None:
            given, is_given = tf.transpose(x, [1, 0, 2]), tf.transpose(known)[..., None]

        def draw(i, parameters, over):
            step = strokes.from_noise(strokes.certain(parameters, over), steps[i], temperature)
            return step if known is None else tf.where(is_given[i], given[i], step)

        drawn = strokes.filled(self.decoder.generate(draw, self.shape[0], tf.shape(noise)[0], self._given(condition)))
        return drawn if known is None else tf.where(known[..., None], x, drawn)

    def _given(self, condition):
        self.domain.require(condition)
        return None if condition is None else tf.one_hot(condition, self.classes)
