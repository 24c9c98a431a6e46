"""What a model can do: a short list of abilities, each a base class with its public methods.

A public method checks what it is given (`zoo.checks`) and calls the pure method of the same name with an underscore,
which a model defines: examples of the domain's type, a seed for each row and a value of every control for each row in,
tensors out, nothing looked at. Losses and exports call the pure ones. A model that lacks an ability does not inherit
it; evaluation, export, pictures and tests are written once for each.

Wherever a method takes `seeds`: an integer, from which each row's own seed follows, or int32 [batch, 2], a seed for
each row. A row's noise depends on its seed alone. `condition`: as the model's domain declares it; one class label
stands for all rows.
"""

import abc

import tensorflow as tf

from zoo import checks, random


class Sampling(abc.ABC):
    """x ~ p(x), or p(x|condition)."""

    @abc.abstractmethod
    def _sample(self, seeds, condition=None):
        """Draws x ~ p(x), [batch, *shape], row i from `seeds[i]` alone; a control that was given is a keyword,
        [batch]."""

    def sample(self, seeds, condition=None, seed=None, **controls):
        """Draws examples.

        Args:
            seeds: how many, an integer; or a seed for each row, int32 [batch, 2]: row i depends on `seeds[i]` alone.
            condition: as the domain declares it, [batch, ...]; one class label stands for all rows. None for a model
                that takes none.
            seed: with a number of examples, an integer from which each row's seed follows; 0 if not given: the same
                examples at every call.
            **controls: those of `controls` that `sample` takes, each a number or [batch].

        Returns:
            Examples in the domain's units and type, [batch, *shape].

        Raises:
            ValueError: for a condition that is missing, has no use or is out of its range, an unknown control, or a
                value out of its range.
        """
        seeds = checks.drawn_rows(seeds, seed)
        num = checks.num_rows(seeds)
        controls = checks.controls(self, "sample", controls, num)
        return self._sample(seeds, checks.condition(self.domain, condition, num), **controls)


class SamplingMeans(Sampling):
    """A sample before the observation's own noise."""

    @abc.abstractmethod
    def _sample_mean(self, seeds, condition=None):
        """Computes E[x|z], z as `_sample` draws it."""

    def sample_mean(self, seeds, condition=None, seed=None):
        """Draws as `sample` does (see there), without the observation's own noise: float32 [batch, *shape]."""
        seeds = checks.drawn_rows(seeds, seed)
        return self._sample_mean(seeds, checks.condition(self.domain, condition, checks.num_rows(seeds)))


class SeedInterpolating(Sampling):
    """A sample that is a smooth function of normal noise, so that there is a path from one seed's sample to
    another's."""

    def _sample_between(self, seeds0, seeds1, weight, condition=None):
        """Draws x from the noise cos(w pi / 2) eps_0 + sin(w pi / 2) eps_1, itself standard normal, [batch, *shape]."""
        return self._sample(random.Between(seeds0, seeds1, weight), condition)

    def sample_between(self, seeds0, seeds1, weight, condition=None):
        """Draws an example on the way from the sample of one seed to that of another: [batch, *shape].

        Args:
            seeds0, seeds1: int32 [batch, 2] each.
            weight: a number or float [batch], on [0, 1]: 0 gives the sample of seeds0, 1 that of seeds1.
            condition: as of `sample`, the same at both ends.

        Raises:
            ValueError: for seeds or a condition of another form, or a weight that is not on [0, 1].
        """
        seeds0, seeds1 = checks.pairs(seeds0), checks.pairs(seeds1)
        num = checks.num_rows(seeds0)
        condition = checks.condition(self.domain, condition, num)
        weight = checks.within("weight", weight, 0.0, 1.0, num)
        return self._sample_between(seeds0, checks.row_seeds(seeds1, num), weight, condition)


class ExactLikelihood(abc.ABC):
    """log p(x), exact."""

    @abc.abstractmethod
    def _log_prob(self, x, condition=None):
        """Computes log p(x) in nats, [batch]."""

    def log_prob(self, x, condition=None):
        """Computes log p(x), or log p(x|condition), of x [batch, *shape] in nats, [batch]: exact. Raises ValueError for
        what is no example of the domain."""
        x = checks.example(self.domain, x)
        return self._log_prob(x, checks.condition(self.domain, condition, checks.num_rows(x)))


class LowerBound(abc.ABC):
    """A lower bound of log p(x) from one draw of the latents."""

    @abc.abstractmethod
    def _elbo(self, x, seeds, condition=None):
        """Returns the bound in nats, [batch]; row i's noise from `seeds[i]`."""

    def elbo(self, x, seeds=0, condition=None):
        """Computes a lower bound of log p(x) from one draw of the latents, of x [batch, *shape] in nats, [batch].

        Raises ValueError for what is no example of the domain, or seeds of another shape than int32 [batch, 2].
        """
        return self._elbo(*checks.drawing(self.domain, x, seeds, condition))


class ImportanceWeighted(LowerBound):
    """Bounds of log p(x) that become tighter with more draws."""

    @abc.abstractmethod
    def _log_prob(self, x, seeds, num_samples=100, condition=None, chunk=None):
        """Computes log 1/k sum_k p(x, z_k) / q(z_k|x) in nats, [batch]."""

    def log_prob(self, x, seeds=0, num_samples=100, condition=None, chunk=None):
        """Computes log 1/k sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), of x [batch, *shape] in nats, [batch]: on average
        below log p(x), and nearer with more draws.

        Args:
            x, seeds, condition: as of `elbo`.
            num_samples: k, an integer of at least 1.
            chunk: how many draws of an example are in memory at once; None: as the model thinks fit.

        Raises:
            ValueError: for what is no example of the domain, or a number below 1.
        """
        for name, value in (("num_samples", num_samples), ("chunk", chunk)):
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{name} must be at least 1, found {value}.")
        x, seeds, condition = checks.drawing(self.domain, x, seeds, condition)
        return self._log_prob(x, seeds, num_samples, condition, chunk)


class EstimatedLikelihood(abc.ABC):
    """A number near log p(x) that is neither exact nor a bound: records and tables call it an estimate, and never a
    likelihood."""

    @abc.abstractmethod
    def _estimate_log_prob(self, x, seeds, condition=None):
        """Returns the estimate in nats, [batch]; row i's noise from `seeds[i]`."""

    def estimate_log_prob(self, x, seeds=0, condition=None):
        """Estimates log p(x), or log p(x|condition), of x [batch, *shape] in nats, [batch]; it may lie on either side.

        Raises ValueError for what is no example of the domain, or seeds of another shape than int32 [batch, 2].
        """
        return self._estimate_log_prob(*checks.drawing(self.domain, x, seeds, condition))


class Autoencoding(abc.ABC):
    """A code of an example, and the example of a code."""

    @abc.abstractmethod
    def _encode(self, x, condition=None):
        """Returns the code of x, float32 [batch, ...]: deterministic."""

    @abc.abstractmethod
    def _decode(self, z, condition=None):
        """Returns the example of a code, in the domain's units (the mean where the decoder is a distribution)."""

    def encode(self, x, condition=None):
        """Computes the code of x [batch, *shape], float32 [batch, *code_shape]: deterministic. Raises ValueError for
        what is no example of the domain.

        A noisy x, where the model is one that denoises, may leave what an example can be.
        """
        x = checks.noisy(self.domain, x) if isinstance(self, Denoising) else checks.example(self.domain, x)
        return self._encode(x, checks.condition(self.domain, condition, checks.num_rows(x)))

    def decode(self, z, condition=None):
        """Computes the example of a code z [batch, *code_shape], in the domain's units, [batch, *shape] (the mean where
        the decoder is a distribution).

        Raises ValueError for codes of another shape, or that are not finite.
        """
        z = checks.codes(z, self.code_shape)
        return self._decode(z, checks.condition(self.domain, condition, checks.num_rows(z)))

    @property
    def code_shape(self):
        """The shape of one code, from a trace of `encode`."""
        if not hasattr(self, "_code_shape"):
            x, condition, _ = self.domain.split(self.domain.batch_spec())
            encode = tf.function(lambda x, condition: self._encode(x, condition), autograph=False)
            self._code_shape = tuple(encode.get_concrete_function(x, condition).structured_outputs.shape[1:])
        return self._code_shape


class Denoising(abc.ABC):
    """Examples made noisy, and what they were before."""

    @abc.abstractmethod
    def _corrupt(self, x, seeds, condition=None):
        """Returns a noisy x, float32 in the domain's unit; row i's noise from `seeds[i]`; a control that was given is a
        keyword, [batch]."""

    @abc.abstractmethod
    def _denoise(self, x, condition=None):
        """Returns what the noisy x, float32, was before, in the domain's unit."""

    def corrupt(self, x, seeds=0, condition=None, **controls):
        """Makes x [batch, *shape] noisy: float32 in the domain's unit, which it may leave. `controls`: how much, a
        number or [batch]; else the model's own.

        Raises ValueError for what is no example of the domain, an unknown control or a value out of its range.
        """
        x, seeds, condition = checks.drawing(self.domain, x, seeds, condition)
        return self._corrupt(x, seeds, condition, **checks.controls(self, "corrupt", controls, checks.num_rows(x)))

    def denoise(self, x, condition=None):
        """Computes what a noisy x, float32 [batch, *shape], was before, in the domain's unit. Raises ValueError for
        another shape or what is not finite."""
        x = checks.noisy(self.domain, x)
        return self._denoise(x, checks.condition(self.domain, condition, checks.num_rows(x)))


class Translating(abc.ABC):
    """What an example would be in another domain: the partner's, or, of a model without one, as its condition says."""

    @abc.abstractmethod
    def _translate(self, x, seeds, condition=None):
        """Returns the translation, in the other domain's units and type; row i's noise from `seeds[i]`."""

    def translate(self, x, seeds=0, condition=None):
        """Computes what x [batch, *shape] would be in the partner's domain (in its own, without a partner): [batch,
        *its shape], in its units and type.

        Raises ValueError for what is no example of the domain, or seeds of another shape than int32 [batch, 2].
        """
        return self._translate(*checks.drawing(self.domain, x, seeds, condition))


class Completing(abc.ABC):
    """What is missing of an example, drawn and judged."""

    @abc.abstractmethod
    def _complete(self, x, mask, seeds, condition=None):
        """Returns x with what is missing drawn; a control that was given is a keyword, [batch]."""

    @abc.abstractmethod
    def _missing_log_prob(self, x, mask, seeds, condition=None):
        """Computes log p(x where `mask` is false | x where it is true) in nats, [batch], or what the model's
        `completion` says."""

    def complete(self, x, mask, seeds=0, condition=None, **controls):
        """Draws what is missing of x [batch, *shape]: keeps it where `mask`, bool [batch, *domain.places], is true, and
        does not read it elsewhere.

        Raises ValueError for what is no example of the domain where it is given, a mask of another shape, an unknown
        control or a value out of its range.
        """
        x, mask = checks.known(self.domain, x, mask)
        num = checks.num_rows(x)
        controls = checks.controls(self, "complete", controls, num)
        seeds, condition = checks.row_seeds(seeds, num), checks.condition(self.domain, condition, num)
        return self._complete(x, mask, seeds, condition, **controls)

    def missing_log_prob(self, x, mask, seeds=0, condition=None):
        """Computes log p(x where `mask` is false | x where it is true) of x [batch, *shape] in nats, [batch]: exact
        where `completes_exactly(mask)`, else a bound.

        Raises ValueError for what is no example of the domain, or a mask of another shape.
        """
        x, seeds, condition = checks.drawing(self.domain, x, seeds, condition)
        return self._missing_log_prob(x, checks.known(self.domain, x, mask)[1], seeds, condition)


def likelihood_kind(model):
    """Returns `exact`, `lower_bound`, `estimate` (neither of these) or None, of a model or a model class."""
    for kind, method in (("lower_bound", "elbo"), ("exact", "log_prob"), ("estimate", "estimate_log_prob")):
        if hasattr(model, method):
            return kind
    return None


def capabilities(model):
    """Returns the names of what a model (or model class) can do, in the order in which the zoo lists them."""
    names = ("sample", "sample_mean", "log_prob", "elbo", "estimate_log_prob", "encode", "decode", "denoise",
             "translate", "complete")
    found = [name for name in names if hasattr(model, name)]
    if "encode" in found:
        found += ["reconstruct", "interpolate", "traverse", "arithmetic"]
    elif hasattr(model, "sample_between"):
        found += ["interpolate"]
    return tuple(found)
