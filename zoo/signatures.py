"""What an exported model answers: one signature per capability, its inputs and outputs named, documented and with an example of each.

Written once per capability of `zoo.model`. `serving_default` is `sample`, or `reconstruct` of a model that can't be sampled. Every
signature but `sample_n` works on rows: each input and output has the batch as dimension 0, and a row of the answer depends on that row of
the inputs alone. A server can therefore put requests together, and a seed given with a row is a promise about that row.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo import operations, random
from zoo.model import capabilities, likelihood_kind


_STEPS = "steps (dx, dy, p1, p2, p3): an offset in the data's unit; which is 1: a line goes on, the pen is lifted, the drawing has ended"


class Field(NamedTuple):
    """An input or output: its type, its shape (None is the batch), what it means, and the values that it can take (None: any)."""

    dtype: tf.DType
    shape: tuple
    meaning: str
    unit: str
    range: tuple | None = None


class Signature(NamedTuple):
    """`function(**inputs) -> {output: tensor}`. The outputs' fields hold no shape: the graph tells it."""

    meaning: str
    inputs: dict
    outputs: dict
    function: Callable
    batchable: bool = True


def signatures(model, importance_samples):
    """{name: Signature} of what the model can do; `importance_samples`: draws of an importance-weighted `log_prob`."""
    can, domain = capabilities(model), model.domain
    x, mean = _example(domain, "an example"), _mean(domain)
    seed = Field(tf.int32, (None, 2), "the row's own seed: the same seed draws the same noise", "none")
    labels = {}
    if domain.conditional and domain.condition.kind == "known":
        given = "the example itself, of which the pixels that the model is given are read, and no others"
        labels = {"condition": Field(tf.float32, (None, *domain.shape), given, "as the example", (0, domain.levels - 1))}
    elif domain.num_classes:
        labels = {"condition": Field(tf.int32, (None,), "class label", "class", (0, domain.num_classes - 1))}
    elif domain.conditional:
        labels = {"condition": Field(tf.float32, (None, *domain.condition.shape), "features that the example is given", "as in the data")}
    found = {}

    def add(name, meaning, inputs, outputs, function):
        """`function` takes the inputs in this order; the condition, where the model has one, is added to both."""
        found[name] = Signature(meaning, inputs | labels, outputs, lambda condition=None, **given: dict(
            zip(outputs, [function(*(given[key] for key in inputs), condition=condition)])))

    if "sample" in can:
        @functools.partial(tf.function, autograph=False, reduce_retracing=True)  # one trace for `sample` and `sample_n`
        def draw(seed, condition):
            return model.sample(seed, condition=condition)

        add("sample", "draws one example per seed", {"seed": seed}, {"sample": x}, draw)
        found["sample_n"] = Signature(
            "draws num_samples examples from one seed; row i is what `sample` draws with the seed fold_in(seed, i) of zoo.random.rows",
            {"num_samples": Field(tf.int32, (), "how many", "examples", (0, None)), "seed": Field(tf.int32, (2,), "one seed for all rows", "none"),
             **({"condition": labels["condition"]._replace(shape=labels["condition"].shape[1:], meaning="the same for all rows")} if labels else {})},
            {"sample": x},
            lambda num_samples, seed, condition=None: {"sample": draw(
                random.rows(seed, num_samples), condition=None if condition is None else tf.repeat(condition[None], num_samples, axis=0))},
            batchable=False)
    if "sample_mean" in can:
        add("sample_mean", "draws as `sample` does, without the observation's own noise", {"seed": seed}, {"mean": mean},
            lambda seed, condition: model.sample_mean(seed, condition=condition))

    density = "log probability" if domain.dtype == tf.int32 or domain.kind == "binary" else "log density, of values scaled as the input's range says"
    nats = Field(tf.float32, (), density, "nats")
    if likelihood_kind(model) == "exact":
        add("log_prob", "log p(x), exact", {"x": x}, {"log_prob": nats._replace(meaning=f"exact {density}")},
            lambda x, condition: model.log_prob(x, condition=condition))
    elif "log_prob" in can:
        bound = f"lower bound of the {density}, importance-weighted over {importance_samples} draws"
        add("log_prob", f"lower bound of log p(x) from {importance_samples} importance-weighted draws; larger on average with more",
            {"x": x, "seed": seed}, {"log_prob": nats._replace(meaning=bound)},
            lambda x, seed, condition: model.log_prob(x, seed, num_samples=importance_samples, condition=condition))
    if "elbo" in can:
        add("elbo", "evidence lower bound of log p(x) from one draw", {"x": x, "seed": seed}, {"elbo": nats._replace(meaning=f"lower bound of the {density}")},
            lambda x, seed, condition: model.elbo(x, seed, condition=condition))

    if "encode" in can:
        code = Field(tf.float32, (None, *_code_shape(model)), "the example's code", "none")
        add("encode", "the code of an example", {"x": x}, {"z": code}, lambda x, condition: model.encode(x, condition=condition))
        add("decode", "the example of a code", {"z": code}, {"x": mean}, lambda z, condition: model.decode(z, condition=condition))
        add("reconstruct", "decodes the code of an example", {"x": x}, {"x": mean},
            lambda x, condition: operations.reconstruct(model, x, condition=condition))
        # One weight a row, not a number of steps: rows stay independent and batchable, and a client chooses its own path of weights.
        weight = Field(tf.float32, (None,), "how far on the way from x0's code to x1's; 0 and 1 give their reconstructions", "none", (0, 1))
        add("interpolate", "decodes a code between those of two examples, on the sphere's arc (on the line where there is no arc)",
            {"x0": x, "x1": x, "weight": weight}, {"x": mean},
            lambda x0, x1, weight, condition: operations.between(model, x0, x1, weight, condition=condition))
        latent = Field(tf.int32, (None,), "place in the example's code, made flat, of the number that is replaced", "none", (0, math.prod(_code_shape(model)) - 1))
        add("traverse", "decodes the code of an example, one of whose numbers is replaced",
            {"x": x, "latent": latent, "value": Field(tf.float32, (None,), "by what it is replaced", "as the code")}, {"x": mean},
            lambda x, latent, value, condition: operations.traverse(model, x, latent, value, condition=condition))
        add("arithmetic", "decodes the sum of the codes of a and b less that of c", {"a": x, "b": x, "c": x}, {"x": mean},
            lambda a, b, c, condition: operations.arithmetic(model, a, b, c, condition=condition))
    if "denoise" in can:
        noisy = x._replace(dtype=tf.float32, meaning="a noisy example", unit=f"{x.unit}; noise may leave what an example can be", range=None)
        add("denoise", "what a noisy example was before", {"noisy": noisy}, {"x": mean}, lambda noisy, condition: model.denoise(noisy, condition=condition))
    if "complete" in can:
        mask = Field(tf.bool, (None, *domain.places), "true where x is given; what is elsewhere is not read", "none")
        given = {"x": x, "mask": mask, "seed": seed}
        add("complete", "draws what is missing of an example", given, {"x": x._replace(meaning="x, completed")},
            lambda x, mask, seed, condition: model.complete(x, mask, seed, condition=condition))
    temperature = {"temperature": Field(tf.float32, (None,), "divisor of the log-odds, above 0; 1 draws from the model", "none", (0.1, 2.0))}
    if "continuation" in can and domain.kind == "strokes":
        mask = Field(tf.bool, (None, *domain.places), "true where x is given: the first steps of the sketch", "none")
        add("continuation", "goes on with a sketch at a temperature", {"x": x, "mask": mask, "seed": seed} | temperature,
            {"x": x._replace(meaning="x, continued")},
            lambda x, mask, seed, temperature, condition: model.continuation(x, mask, seed, temperature, condition=condition))
    elif "continuation" in can:
        mask = Field(tf.bool, (None, *domain.places), "true where x is given: the first tokens of the text", "none")
        controls = {**temperature,
                    "top_k": Field(tf.int32, (None,), "tokens of which one is drawn, the likeliest; 0 for all", "tokens", (0, domain.levels)),
                    "top_p": Field(tf.float32, (None,), "probability that the tokens of which one is drawn have together", "none", (0.1, 1.0))}
        add("continuation", "goes on with a text, each token from the likely ones only", {"x": x, "mask": mask, "seed": seed} | controls,
            {"x": x._replace(meaning="x, continued")},
            lambda x, mask, seed, temperature, top_k, top_p, condition: model.continuation(x, mask, seed, temperature, top_k, top_p))
    if "sample_at" in can:
        add("sample_at", "draws one example per seed at a temperature", {"seed": seed} | temperature, {"sample": x},
            lambda seed, temperature, condition: model.sample_at(seed, temperature, condition=condition))
    first = "sample" if "sample" in found else "reconstruct"
    return {first: found[first], "serving_default": found[first], **found}


def default(found):
    """The name of what `serving_default` is among signatures."""
    return next(name for name in found if found[name] is found["serving_default"])


def trace(signature):
    """The signature as a `tf.function` for every batch size, whose body is traced once: saving traces a function again, but not what it calls."""
    specs = {name: tf.TensorSpec(f.shape, f.dtype, name=name) for name, f in signature.inputs.items()}
    body = tf.function(signature.function, autograph=False).get_concrete_function(**specs)
    function = tf.function(lambda **inputs: body(**inputs), autograph=False)
    function.get_concrete_function(**specs)
    return function


def example_inputs(model, found, num=3, seed=0):
    """{signature: {input: array}}: `num` rows of valid input for each of the signatures `found`, the same for the same seed."""
    rng, domain = np.random.default_rng(seed), model.domain

    def value(name, field):
        shape = tuple(num if size is None else size for size in field.shape)
        if name == "num_samples":
            return np.int32(num)
        if name == "seed":
            return rng.integers(0, 2 ** 31 - 1, shape, np.int32)
        if name == "mask":  # row i lacks a little more than the row before it; never all, never nothing
            size = math.prod(shape[1:])
            given = [max(1, size * (num - i) // (num + 1)) for i in range(num)]
            return (np.arange(size) < np.array(given)[:, None]).reshape(shape)
        if name == "z":
            codes = {"x": value("x", found["encode"].inputs["x"])}
            spec = domain.condition_spec(num)
            return model.encode(codes["x"], condition=None if spec is None else tf.zeros(spec.shape, spec.dtype)).numpy()
        if name == "noisy":
            clean = tf.constant(value("x", _example(domain, "")))
            return model.corrupt(clean, random.rows(random.seed(seed), num)).numpy()
        if name == "weight":
            return rng.uniform(0.1, 0.9, shape).astype(np.float32)
        if hasattr(model, "derivations") and name.startswith("x"):  # other tokens are no example of a grammar
            return model.sample(random.rows(random.seed(seed), num)).numpy()
        if domain.kind == "strokes" and shape[1:] == tuple(domain.shape):
            return random_strokes(rng, shape)
        if field.range is None:
            return rng.normal(size=shape).astype(np.float32)
        low, high = field.range
        if field.dtype == tf.int32 or (domain.kind == "binary" and field.range == (0, 1)):
            return rng.integers(low, high + 1, shape).astype(field.dtype.as_numpy_dtype)
        return rng.uniform(low, high, shape).astype(np.float32)

    return {name: {key: value(key, field) for key, field in signature.inputs.items()} for name, signature in found.items()}


def random_strokes(rng, shape):
    """Sketches of random lengths, from 1 step to all but one of T, and their ends: float32 of shape [num, T, 5]."""
    num, length, _ = shape
    ended = np.arange(length) >= rng.integers(1, max(length, 2), num)[:, None]
    state = np.where(ended, 2, rng.integers(0, 2, (num, length)))
    return np.concatenate([np.where(ended[..., None], 0.0, rng.normal(size=(num, length, 2))), np.eye(3)[state]], -1).astype(np.float32)


def _example(domain, meaning):
    """The field of an example of the domain."""
    unit = {"binary": "pixel that is 0 or 1", "levels": "level", "tokens": "token: its number in the tokenizer", "waveform": "amplitude",
            "strokes": _STEPS}.get(domain.kind, "as in the data")
    high = {"binary": 1}.get(domain.kind, domain.levels - 1 if domain.dtype == tf.int32 else None)
    limits = domain.range if high is None else (0, high)
    if domain.kind == "real" and limits:
        unit = f"value, scaled to {tuple(limits)}"
    return Field(domain.dtype, (None, *domain.shape), meaning, unit, limits)


def _mean(domain):
    """The field of what a decoder gives: float32 in the example's unit, or tokens."""
    if domain.kind == "tokens":
        return _example(domain, "the decoded example: at each place the likeliest token after those before it")
    return _example(domain, "the decoded example; its mean where the decoder is a distribution")._replace(dtype=tf.float32)


def _code_shape(model):
    """The shape of one code, from a trace of `encode`."""
    spec = model.domain.batch_spec()
    x, condition = spec if model.domain.conditional else (spec, None)
    outputs = tf.function(lambda x, condition: model.encode(x, condition=condition), autograph=False).get_concrete_function(x, condition).structured_outputs
    return tuple(outputs.shape[1:])
