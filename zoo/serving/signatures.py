"""What an exported model answers: one signature per capability, its inputs and outputs named, documented and with an
example of each.

Written once per capability of `zoo.model`. `serving_default` is `sample`, or `reconstruct` or `translate` of a model
that can't be sampled. Every
signature but `sample_n` works on rows: each input and output has the batch as dimension 0, and a row of the answer
depends on that row of the inputs alone. A server can therefore put requests together, and a seed given with a row is a
promise about that row.
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
from zoo.domain import describe

_STEPS = ("steps (dx, dy, p1, p2, p3): an offset in the data's unit; which is 1: a line goes on, the pen is lifted, "
          "the drawing has ended")


class Field(NamedTuple):
    """An input or output: its type, its shape (None is the batch), what it means, the values that it can take (None:
    any), and, of a control, the usual one."""

    dtype: tf.DType
    shape: tuple
    meaning: str
    unit: str
    range: tuple | None = None
    default: float | int | None = None


class Signature(NamedTuple):
    """`function(**inputs) -> {output: tensor}`. The outputs' fields hold no shape: the graph tells it."""

    meaning: str
    inputs: dict
    outputs: dict
    function: Callable
    batchable: bool = True


SEED = Field(tf.int32, (None, 2), "the row's own seed: the same seed draws the same noise", "none")


def signatures(model, importance_samples):
    """{name: Signature} of what the model can do; `importance_samples`: draws of an importance-weighted `log_prob`.

    Where the model declares controls for a method there are two: NAME, which takes none, and NAME_controlled, which
    takes them all, a value a row.
    """
    maker = _Maker(model)
    if isinstance(model, Sampling):
        _sampling(maker, model)
    _likelihoods(maker, model, importance_samples)
    if isinstance(model, Autoencoding):
        _coding(maker, model)
    if isinstance(model, Denoising):
        noise = f"{maker.x.unit}; noise may leave what an example can be"
        noisy = maker.x._replace(dtype=tf.float32, meaning="a noisy example", unit=noise, range=None)
        maker.add("denoise", "what a noisy example was before", {"noisy": noisy}, {"x": maker.mean}, model._denoise)
    if isinstance(model, Translating):
        other = _example(model.domain.partner or model.domain, "x, translated")
        maker.add("translate", "what an example would be in another domain", {"x": maker.x, "seed": SEED},
                  {"translated": other}, model._translate)
    if isinstance(model, Completing):
        mask = Field(tf.bool, (None, *model.domain.places), "true where x is given; what is elsewhere is not read",
                     "none")
        maker.add("complete", "draws what is missing of an example", {"x": maker.x, "mask": mask, "seed": SEED},
                  {"x": maker.x._replace(meaning="x, completed")}, model._complete, "complete")
    found = maker.found
    first = next(name for name in ("sample", "reconstruct", "translate") if name in found)
    return {first: found[first], "serving_default": found[first], **found}


class _Maker:
    """Makes signatures: every one takes the condition, where the model has one."""

    def __init__(self, model):
        self.model, self.found = model, {}
        self.x, self.mean, self.conditions = _example(model.domain,
                                                      "an example"), _mean(model.domain), _conditions(model.domain)

    def add(self, name, meaning, inputs, outputs, function, method=None):
        """`function` takes the inputs in this order, the condition, and as keywords the controls of `method`."""
        controls = {key: _control(control) for key, control in self.model.controls_of(method).items()} if method else {}

        def call(**given):
            values = [given[key] for key in inputs]
            turned = {key: given[key] for key in controls if key in given}
            return dict(zip(outputs, [function(*values, condition=self.condition(given), **turned)]))

        self.found[name] = Signature(meaning, inputs | self.conditions, outputs, call)
        if controls:
            turned = f"{meaning}, with {', '.join(controls)}"
            self.found[f"{name}_controlled"] = Signature(turned, inputs | self.conditions | controls, outputs, call)

    def condition(self, given):
        """The condition as the model takes it, of a signature's inputs."""
        if not self.conditions:
            return None
        if not isinstance(self.model.domain.condition, dict):
            return given["condition"]
        return {key: given[f"condition_{key}"] for key in self.model.domain.condition}


def _sampling(maker, model):
    @functools.partial(tf.function, autograph=False, reduce_retracing=True)  # one trace for `sample` and `sample_n`
    def draw(seed, condition):
        return model._sample(seed, condition)

    def sample(seed, condition, **controls):
        return model._sample(seed, condition, **controls) if controls else draw(seed, condition)

    def draw_n(num_samples, seed, **given):
        condition = maker.condition({key: tf.repeat(value[None], num_samples, axis=0) for key, value in given.items()})
        return {"sample": draw(random.rows(seed, num_samples), condition)}

    outputs = {"sample": maker.x}
    maker.add("sample", "draws one example per seed", {"seed": SEED}, outputs, sample, "sample")
    alike = {name: field._replace(shape=field.shape[1:], meaning=f"{field.meaning}, the same for all rows") for name,
             field in maker.conditions.items()}
    maker.found["sample_n"] = Signature(
        "draws num_samples examples from one seed; row i is what `sample` draws with the seed fold_in(seed, i) of "
        "zoo.random.rows",
        {"num_samples": Field(tf.int32, (), "how many", "examples", (0, None)),
         "seed": Field(tf.int32, (2,), "one seed for all rows", "none"), **alike},
        outputs, draw_n, batchable=False)
    if isinstance(model, SamplingMeans):
        maker.add("sample_mean", "draws as `sample` does, without the observation's own noise", {"seed": SEED},
                  {"mean": maker.mean}, model._sample_mean)
    if isinstance(model, SeedInterpolating):
        weight = Field(tf.float32, (None,), "how far on the way from the noise of seed0 to that of seed1; 0 and 1 give "
                                            "their samples", "none", (0, 1))
        maker.add("interpolate", "draws from noise between that of two seeds, itself as likely as any",
                  {"seed0": SEED, "seed1": SEED, "weight": weight},
                  outputs, model._sample_between)


def _likelihoods(maker, model, importance_samples):
    domain = model.domain
    density = (
        "log probability"
        if domain.dtype == tf.int32 or domain.kind == "binary"
        else "log density, of values scaled as the input's range says"
    )
    nats = Field(tf.float32, (), density, "nats")
    if isinstance(model, ExactLikelihood):
        maker.add("log_prob", "log p(x), exact", {"x": maker.x},
                  {"log_prob": nats._replace(meaning=f"exact {density}")}, model._log_prob)
    if isinstance(model, ImportanceWeighted):
        bound = f"lower bound of the {density}, importance-weighted over {importance_samples} draws"
        maker.add("log_prob", f"lower bound of log p(x) from {importance_samples} importance-weighted draws; larger on "
                              "average with more",
                  {"x": maker.x, "seed": SEED}, {"log_prob": nats._replace(meaning=bound)},
                  lambda x, seed, condition: model._log_prob(x, seed, importance_samples, condition))
    if isinstance(model, LowerBound):
        maker.add("elbo", "evidence lower bound of log p(x) from one draw", {"x": maker.x, "seed": SEED},
                  {"elbo": nats._replace(meaning=f"lower bound of the {density}")}, model._elbo)
    if isinstance(model, EstimatedLikelihood):
        maker.add("estimate_log_prob", "a number near log p(x) that is neither exact nor a bound",
                  {"x": maker.x, "seed": SEED},
                  {"log_prob": nats._replace(meaning=f"estimate of the {density}, which may lie on either side")},
                  model._estimate_log_prob)


def _coding(maker, model):
    x, mean, shape = maker.x, {"x": maker.mean}, model.code_shape
    code = Field(tf.float32, (None, *shape), "the example's code", "none")
    maker.add("encode", "the code of an example", {"x": x}, {"z": code}, model._encode)
    maker.add("decode", "the example of a code", {"z": code}, mean, model._decode)
    maker.add("reconstruct", "decodes the code of an example", {"x": x}, mean,
              functools.partial(operations.reconstruct, model))
    # One weight a row, not a number of steps: rows stay independent and batchable, and a client chooses its own path of
    # weights.
    weight = Field(tf.float32, (None,), "how far on the way from x0's code to x1's; 0 and 1 give their reconstructions",
                   "none", (0, 1))
    maker.add("interpolate",
              "decodes a code between those of two examples, on the sphere's arc (on the line where there is no arc)",
              {"x0": x, "x1": x, "weight": weight}, mean, functools.partial(operations.between, model))
    latent = Field(tf.int32, (None,), "place in the example's code, made flat, of the number that is replaced", "none",
                   (0, math.prod(shape) - 1))
    value = Field(tf.float32, (None,), "by what it is replaced", "as the code")
    maker.add("traverse", "decodes the code of an example, one of whose numbers is replaced",
              {"x": x, "latent": latent, "value": value}, mean,
              functools.partial(operations.traverse, model))
    maker.add("arithmetic", "decodes the sum of the codes of a and b less that of c", {"a": x, "b": x, "c": x}, mean,
              functools.partial(operations.arithmetic, model))


def _control(control):
    """The field of a control: a value a row."""
    return Field(control.dtype, (None,), control.meaning, control.unit, (control.low, control.high), control.default)


def _conditions(domain):
    """{name of the input: its field} of a domain's condition."""
    return {f"condition_{key}" if key else "condition": _condition(part, key) for key,
            part in domain.conditions().items()}


def _condition(part, key):
    """The field of one part of a condition."""
    of = f"{key}: " if key else ""
    if part.kind == "class":
        return Field(tf.int32, (None,), f"{of}class label", "class", (0, part.levels - 1))
    if part.kind == "known":
        return Field(tf.float32, (None, *part.example_shape),
                     f"{of}the example itself, of which the pixels that the model is given are read, and no others",
                     "as the example", part.range or (0, (part.levels or 2) - 1))
    if part.kind == "labels":
        return Field(tf.int32, (None, *part.example_shape), f"{of}the class of every pixel", "class",
                     (0, part.levels - 1))
    return _example(part, f"{of}features that the example is given" if part.kind == "real" and not part.range
                    else f"{of}{describe(part)}")


def default(found):
    """The name of what `serving_default` is among signatures."""
    return next(name for name in found if found[name] is found["serving_default"])


def trace(signature):
    """The signature as a `tf.function` for every batch size, whose body is traced once: saving traces a function again,
    but not what it calls."""
    specs = {name: tf.TensorSpec(f.shape, f.dtype, name=name) for name, f in signature.inputs.items()}
    body = tf.function(signature.function, autograph=False).get_concrete_function(**specs)
    function = tf.function(lambda **inputs: body(**inputs), autograph=False)
    function.get_concrete_function(**specs)
    return function


def example_inputs(model, found, num=3, seed=0):
    """{signature: {input: array}}: `num` rows of valid input for each of the signatures `found`, the same for the same
    seed."""
    rng, domain = np.random.default_rng(seed), model.domain
    parts = {f"condition_{key}" if key else "condition": part for key, part in domain.conditions().items()}

    def value(name, field):
        shape = tuple(num if size is None else size for size in field.shape)
        if name == "num_samples":
            return np.int32(num)
        if name.startswith("seed"):
            return rng.integers(0, 2 ** 31 - 1, shape, np.int32)
        if name == "mask":  # row i lacks a little more than the row before it; never all, never nothing
            size = math.prod(shape[1:])
            given = [max(1, size * (num - i) // (num + 1)) for i in range(num)]
            return (np.arange(size) < np.array(given)[:, None]).reshape(shape)
        if name == "z":
            codes = {"x": value("x", found["encode"].inputs["x"])}
            zeros = {name: tf.zeros([num, *field.shape[1:]], field.dtype) for name,
                     field in _conditions(domain).items()}
            return model.encode(codes["x"], condition=_Maker(model).condition(zeros)).numpy()
        if name == "noisy":
            clean = tf.constant(value("x", _example(domain, "")))
            return model.corrupt(clean, random.rows(random.seed(seed), num)).numpy()
        if name == "weight":
            return rng.uniform(0.1, 0.9, shape).astype(np.float32)
        if hasattr(model, "derivations") and name.startswith("x"):  # other tokens are no example of a grammar
            return model.sample(random.rows(random.seed(seed), num)).numpy()
        kind = parts[name].kind if name in parts else domain.kind
        if kind == "strokes" and shape[1:] == tuple((parts.get(name) or domain).shape):
            return random_strokes(rng, shape)
        if field.default is not None:
            return near(rng, field, shape)
        if field.range is None:
            return rng.normal(size=shape).astype(np.float32)
        low, high = field.range
        if field.dtype == tf.int32 or (kind == "binary" and field.range == (0, 1)):
            return rng.integers(low, high + 1, shape).astype(field.dtype.as_numpy_dtype)
        return rng.uniform(low, high, shape).astype(np.float32)

    return {name: {key: value(key, field) for key, field in signature.inputs.items()} for name,
            signature in found.items()}


def near(rng, field, shape):
    """Random values of a control: whole numbers of its whole range, others from half to twice the usual one."""
    low, high = field.range
    if field.dtype == tf.int32:
        return rng.integers(low, high + 1, shape, np.int32)
    return rng.uniform(max(low, field.default / 2), min(high, field.default * 2 or 1.0), shape).astype(np.float32)


def random_strokes(rng, shape):
    """Sketches of random lengths, from 1 step to all but one of T, and their ends: float32 of shape [num, T, 5]."""
    num, length, _ = shape
    ended = np.arange(length) >= rng.integers(1, max(length, 2), num)[:, None]
    state = np.where(ended, 2, rng.integers(0, 2, (num, length)))
    return np.concatenate([np.where(ended[..., None], 0.0, rng.normal(size=(num, length, 2))), np.eye(3)[state]],
                          -1).astype(np.float32)


def _example(domain, meaning):
    """The field of an example of the domain."""
    unit = {"binary": "pixel that is 0 or 1", "levels": "level", "tokens": "token: its number in the tokenizer",
            "waveform": "amplitude",
            "strokes": _STEPS}.get(domain.kind, "as in the data")
    high = {"binary": 1}.get(domain.kind, domain.levels - 1 if domain.dtype == tf.int32 else None)
    limits = domain.range if high is None else (0, high)
    if domain.kind == "real" and limits:
        unit = f"value, scaled to {tuple(limits)}"
    return Field(domain.dtype, (None, *domain.example_shape), meaning, unit, limits)


def _mean(domain):
    """The field of what a decoder gives: float32 in the example's unit, or tokens."""
    if domain.kind == "tokens":
        return _example(domain, "the decoded example: at each place the likeliest token after those before it")
    return _example(domain,
                    "the decoded example; its mean where the decoder is a distribution")._replace(dtype=tf.float32)
