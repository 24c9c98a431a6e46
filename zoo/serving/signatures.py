"""What an exported model answers: one signature per capability, its inputs and outputs named, documented and with an
example of each.

Written once per capability of `zoo.capabilities`, in `MAKERS`. `serving_default` is `sample`, or `reconstruct` or
`translate` of a model that can't be sampled. Every signature but `sample_n` works on rows: each input and output has
the batch as dimension 0, and a row of the answer depends on that row of the inputs alone. A server can therefore put
requests together, and a seed given with a row is a promise about that row.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo import operations, random
from zoo.capabilities import (
    Autoencoding,
    Completing,
    Denoising,
    EstimatedLikelihood,
    ExactLikelihood,
    ImportanceWeighted,
    LowerBound,
    Sampling,
    SamplingMeans,
    SeedInterpolating,
    Translating,
)
from zoo.serving import fields
from zoo.serving.fields import Input, Output


class Signature(NamedTuple):
    """`function(**inputs) -> {output: tensor}`, with what the card says of it and how its examples are drawn.

    inputs: `Input`s. outputs: `Output`s. batchable: whether it works on rows.
    """

    name: str
    meaning: str
    inputs: tuple
    outputs: tuple
    function: Callable
    batchable: bool = True

    def specs(self):
        """Returns {input: its `tf.TensorSpec`}."""
        return {item.name: item.spec for item in self.inputs}

    def example(self, rng, num=3):
        """Draws {input: array}: `num` rows of valid input."""
        return {item.name: item.draw(rng, num) for item in self.inputs}

    def trace(self):
        """Traces the function, once, as a `tf.function` for every batch size.

        Saving traces a function again, but not what it calls: so the body is a function of its own.
        """
        body = tf.function(self.function, autograph=False).get_concrete_function(**self.specs())
        function = tf.function(lambda **inputs: body(**inputs), autograph=False)
        function.get_concrete_function(**self.specs())
        return function


class Maker(NamedTuple):
    """What the signatures of one model share: the model, how many draws an importance-weighted `log_prob` averages, x
    as an input, and the inputs of its condition.
    """

    model: object
    importance_samples: int
    x: Input
    conditions: tuple

    def signature(self, name, meaning, inputs, output, function, controls=()):
        """Returns the signature of a function that takes the inputs in this order, the condition, and the controls as
        keywords.
        """
        def call(**given):
            values = [given[item.name] for item in inputs]
            turned = {item.name: given[item.name] for item in controls}
            condition = fields.condition_of(self.model.domain, given)
            return {output.name: function(*values, condition=condition, **turned)}

        return Signature(name, meaning, (*inputs, *self.conditions, *controls), (output,), call)

    def controlled(self, name, meaning, inputs, output, function):
        """Returns the signatures of a method that has the controls of this name: NAME, which takes none of them, and,
        where there are some, NAME_controlled, which takes them all, a value a row.
        """
        plain = self.signature(name, meaning, inputs, output, function)
        controls = [fields.control(key, control) for key, control in self.model.controls_of(name).items()]
        if not controls:
            return [plain]
        meaning = f"{meaning}, with {', '.join(control.name for control in controls)}"
        return [plain, self.signature(f"{name}_controlled", meaning, inputs, output, function, controls)]


def signatures(model, importance_samples):
    """Makes {name: Signature} of all that the model can do; `serving_default` is one of them by a second name.

    importance_samples: how many draws an importance-weighted `log_prob` averages.
    """
    x = fields.example(model.domain, "x", "an example")
    if hasattr(model, "derivations"):  # other tokens are no example of a grammar
        x = x._replace(draw=lambda rng, num: model.sample(num, seed=int(rng.integers(2**31))).numpy())
    maker = Maker(model, importance_samples, x, fields.conditions(model.domain))
    found = {}
    for capability, make in MAKERS.items():
        if isinstance(model, capability):
            found |= {signature.name: signature for signature in make(maker)}
    usual = found.get("sample") or found.get("reconstruct") or found["translate"]
    return {usual.name: usual, "serving_default": usual, **found}


def _sampling(maker):
    model = maker.model

    @functools.partial(tf.function, autograph=False, reduce_retracing=True)  # one trace for `sample` and `sample_n`
    def draw(seed, condition):
        return model._sample(seed, condition)

    def sample(seed, condition, **controls):
        return model._sample(seed, condition, **controls) if controls else draw(seed, condition)

    def sample_n(num_samples, seed, **given):
        rows = {name: tf.repeat(value[None], num_samples, axis=0) for name, value in given.items()}
        condition = fields.condition_of(model.domain, rows)
        return {"sample": draw(random.rows(seed, num_samples), condition)}

    output = Output("sample", maker.x.meaning, maker.x.unit, maker.x.range)
    num_samples = Input("num_samples", tf.int32, (), "how many", "examples", lambda rng, num: np.int32(num), (0, None))
    one_seed = fields.seed().once()._replace(meaning="one seed for all rows")
    alike = [condition.once() for condition in maker.conditions]
    meaning = ("draws num_samples examples from one seed; row i is what `sample` draws with the seed fold_in(seed, i) "
               "of zoo.random.rows")
    return [*maker.controlled("sample", "draws one example per seed", [fields.seed()], output, sample),
            Signature("sample_n", meaning, (num_samples, one_seed, *alike), (output,), sample_n, batchable=False)]


def _sampling_means(maker):
    meaning = "draws as `sample` does, without the observation's own noise"
    output = fields.mean(maker.model.domain, "mean")
    return [maker.signature("sample_mean", meaning, [fields.seed()], output, maker.model._sample_mean)]


def _seed_interpolating(maker):
    weight = fields.weight("how far on the way from the noise of seed0 to that of seed1; 0 and 1 give their samples")
    inputs = [fields.seed("seed0"), fields.seed("seed1"), weight]
    output = Output("sample", maker.x.meaning, maker.x.unit, maker.x.range)
    return [maker.signature("interpolate", "draws from noise between that of two seeds, itself as likely as any",
                            inputs, output, maker.model._sample_between)]


def _density(domain):
    """Returns what a likelihood of the domain is, in words."""
    if domain.dtype == tf.int32 or domain.kind == "binary":
        return "log probability"
    return "log density, of values scaled as the input's range says"


def _exact(maker):
    output = Output("log_prob", f"exact {_density(maker.model.domain)}", "nats")
    return [maker.signature("log_prob", "log p(x), exact", [maker.x], output, maker.model._log_prob)]


def _importance_weighted(maker):
    num = maker.importance_samples

    def log_prob(x, seed, condition):
        return maker.model._log_prob(x, seed, num, condition)

    meaning = f"lower bound of log p(x) from {num} importance-weighted draws; larger on average with more"
    bound = f"lower bound of the {_density(maker.model.domain)}, importance-weighted over {num} draws"
    return [maker.signature("log_prob", meaning, [maker.x, fields.seed()], Output("log_prob", bound, "nats"), log_prob)]


def _lower_bound(maker):
    output = Output("elbo", f"lower bound of the {_density(maker.model.domain)}", "nats")
    return [maker.signature("elbo", "evidence lower bound of log p(x) from one draw", [maker.x, fields.seed()], output,
                            maker.model._elbo)]


def _estimate(maker):
    meaning = f"estimate of the {_density(maker.model.domain)}, which may lie on either side"
    return [maker.signature("estimate_log_prob", "a number near log p(x) that is neither exact nor a bound",
                            [maker.x, fields.seed()], Output("log_prob", meaning, "nats"),
                            maker.model._estimate_log_prob)]


def _autoencoding(maker):
    model, x = maker.model, maker.x

    def codes(rng, num):
        zeros = {item.name: tf.zeros([num, *item.shape[1:]], item.dtype) for item in maker.conditions}
        return model.encode(x.draw(rng, num), condition=fields.condition_of(model.domain, zeros)).numpy()

    shape, meaning = (None, *model.code_shape), "the example's code"
    z = Input("z", tf.float32, shape, meaning, "none", codes)
    decoded = fields.mean(model.domain)
    return [maker.signature("encode", "the code of an example", [x], Output("z", meaning, "none"), model._encode),
            maker.signature("decode", "the example of a code", [z], decoded, model._decode),
            maker.signature("reconstruct", "decodes the code of an example", [x], decoded,
                            functools.partial(operations.reconstruct, model)),
            *_changes_of_codes(maker, decoded)]


def _changes_of_codes(maker, decoded):
    model, x = maker.model, maker.x
    # One weight a row, not a number of steps: rows stay independent and batchable, and a client chooses its own path of
    # weights.
    weight = fields.weight("how far on the way from x0's code to x1's; 0 and 1 give their reconstructions")
    last = math.prod(model.code_shape) - 1
    meaning = "place in the example's code, made flat, of the number that is replaced"
    latent = Input("latent", tf.int32, (None,), meaning, "none", fields.integers(0, last), (0, last))
    value = Input("value", tf.float32, (None,), "by what it is replaced", "as the code", fields.normal())
    return [maker.signature(
                "interpolate",
                "decodes a code between those of two examples, on the sphere's arc (on the line where there is no arc)",
                [x._replace(name="x0"), x._replace(name="x1"), weight], decoded,
                functools.partial(operations.between, model)),
            maker.signature("traverse", "decodes the code of an example, one of whose numbers is replaced",
                            [x, latent, value], decoded, functools.partial(operations.traverse, model)),
            maker.signature("arithmetic", "decodes the sum of the codes of a and b less that of c",
                            [x._replace(name=name) for name in "abc"], decoded,
                            functools.partial(operations.arithmetic, model))]


def _denoising(maker):
    model, x = maker.model, maker.x
    noisy = Input("noisy", tf.float32, x.shape, "a noisy example", f"{x.unit}; noise may leave what an example can be",
                  lambda rng, num: model.corrupt(x.draw(rng, num)).numpy())
    return [maker.signature("denoise", "what a noisy example was before", [noisy], fields.mean(model.domain),
                            model._denoise)]


def _translating(maker):
    domain = maker.model.domain
    other = fields.example(domain.partner or domain, "x", "x, translated")
    output = Output("translated", other.meaning, other.unit, other.range)
    return [maker.signature("translate", "what an example would be in another domain", [maker.x, fields.seed()], output,
                            maker.model._translate)]


def _completing(maker):
    model, x = maker.model, maker.x
    places = model.domain.places

    def masks(rng, num):  # row i lacks a little more than the row before it; never all, never nothing
        size = math.prod(places)
        given = [max(1, size * (num - row) // (num + 1)) for row in range(num)]
        return (np.arange(size) < np.array(given)[:, None]).reshape(num, *places)

    meaning = "true where x is given; what is elsewhere is not read"
    mask = Input("mask", tf.bool, (None, *places), meaning, "none", masks)
    completed = Output("x", "x, completed", x.unit, x.range)
    return maker.controlled("complete", "draws what is missing of an example", [x, mask, fields.seed()], completed,
                            model._complete)


MAKERS = {
    Sampling: _sampling,
    SamplingMeans: _sampling_means,
    SeedInterpolating: _seed_interpolating,
    ExactLikelihood: _exact,
    ImportanceWeighted: _importance_weighted,
    LowerBound: _lower_bound,
    EstimatedLikelihood: _estimate,
    Autoencoding: _autoencoding,
    Denoising: _denoising,
    Translating: _translating,
    Completing: _completing,
}
