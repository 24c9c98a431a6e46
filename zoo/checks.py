"""What public methods check of what they are given, once: kind, shape, range, whole numbers, and that numbers are
numbers.

What is right in another type is cast (images as `load_data()` gives them: uint8, without a channel); all else is
refused by a ValueError of one sentence that says what was found and what is allowed. Values are looked at where they
can be seen: inside of a graph only types and shapes are.
"""

import difflib

import numpy as np
import tensorflow as tf

from zoo import random

_SLACK = 1e-5  # by which a scaled value may leave its range: rounding
_UNKNOWN = -1.0  # what stands in the place of what is not known


def nearest(word, words):
    """Says which of `words` was probably meant: a clause that ends a sentence about an unknown word."""
    words = sorted(words)
    close = difflib.get_close_matches(str(word), words, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? Known: {', '.join(words)}." if close else f"known: {', '.join(words)}."


def example(domain, x, name="x"):
    """Returns a batch of examples of a domain, of its type: [batch, *shape]. Raises ValueError for anything else."""
    x = _shaped(domain, _numbers(x, name), name)
    _require_values(domain, x, name)
    return tf.cast(x, domain.dtype)


def known(domain, x, mask, name="x"):
    """Returns (x, mask) of a batch of which only what is true in `mask`, [batch, *places], is read; elsewhere x may be
    anything, and is returned as zero.
    """
    x = _shaped(domain, _numbers(x, name), name)
    places = tuple(domain.places)
    mask = _numbers(mask, "mask")
    if mask.dtype != tf.bool:
        raise ValueError(f"mask must be bool, true where {name} is given, found {mask.dtype.name}.")
    if tuple(mask.shape[1:]) != places:
        raise ValueError(f"mask must be [batch, {', '.join(map(str, places))}], found {tuple(mask.shape)}.")
    _same_rows(mask, x, "mask", name)
    whole = tf.reshape(mask, tf.concat([tf.shape(mask), tf.ones([x.shape.rank - mask.shape.rank], tf.int32)], 0))
    x = tf.where(whole, x, tf.zeros_like(x))
    if domain.kind != "strokes":  # a step that is not known is none of a pen's
        low = _limits(domain)[0]
        _require_values(domain, x if low is None or low <= 0 else tf.where(whole, x, tf.cast(low, x.dtype)), name)
    return tf.cast(x, domain.dtype), mask


def noisy(domain, x, name="x"):
    """Returns a batch of examples that noise may have moved anywhere: float32 [batch, *shape], finite."""
    x = tf.cast(_shaped(domain, _numbers(x, name), name), tf.float32)
    _require_finite(x, name)
    return x


def codes(z, shape, name="z"):
    """Returns a batch of codes, float32 [batch, *shape], finite."""
    z = _numbers(z, name)
    if z.shape.rank != 1 + len(shape) or not z.shape[1:].is_compatible_with(shape):
        raise ValueError(f"{name} must be [batch, {', '.join(map(str, shape))}], found {tuple(z.shape)}.")
    z = tf.cast(z, tf.float32)
    _require_finite(z, name)
    return z


def num_rows(x):
    """Counts the rows of a batch: an integer where it can be seen."""
    size = x.shape[0]
    return tf.shape(x)[0] if size is None else size


def drawing(domain, x, seeds, given):
    """Returns (x, a seed for each row, condition) of a method that draws for examples: each checked and cast."""
    x = example(domain, x)
    num = num_rows(x)
    return x, row_seeds(seeds, num), condition(domain, given, num)


def row_seeds(seeds, num):
    """Returns a seed for each of `num` rows, int32 [num, 2]: those given, or what follows from an integer."""
    if _is_integer(seeds):
        return random.rows(random.seed(seeds), num)
    seeds = pairs(seeds)
    if _differ(seeds, num):
        raise ValueError(f"seeds must be an integer or int32 [{int(num)}, 2], a pair for each row, found "
                         f"{tuple(seeds.shape)}.")
    return seeds


def drawn_rows(seeds, seed):
    """Returns the seeds of `sample`: of a number of rows and one seed, an integer (None: 0), or a seed for each row,
    int32 [batch, 2].
    """
    if _is_integer(seeds):
        if not 0 <= int(seeds) < 2**31:
            raise ValueError(f"sample: a number of examples is 0 to {2**31 - 1}, found {int(seeds)}.")
        seed = 0 if seed is None else seed
        if not _is_integer(seed):
            raise ValueError(f"seed must be an integer, found {seed!r}.")
        return random.rows(random.seed(seed), int(seeds))
    if seed is not None:
        raise ValueError("sample: takes a number of examples and `seed`, or a seed for each row, not both.")
    return pairs(seeds)


def condition(domain, given, num):
    """Returns the condition of `num` rows as the domain declares it. One class stands for all rows. Raises ValueError
    where one is missing, useless or wrong.
    """
    if domain.condition is None:
        if given is not None:
            raise ValueError("condition: this model takes none.")
        return None
    parts = domain.conditions()
    if not isinstance(domain.condition, dict):
        return _one_condition(parts[""], given, num, "condition")
    if not isinstance(given, dict) or set(given) != set(domain.condition):
        found = "none" if given is None else type(given).__name__
        found = sorted(given) if isinstance(given, dict) else found
        raise ValueError(f"condition: a dictionary of {', '.join(domain.condition)} is needed, found {found}.")
    return {key: _one_condition(part, given[key], num, f"condition {key}") for key, part in parts.items()}


def controls(model, method, given, num):
    """Returns {name: a value for each of `num` rows} of the controls that were given to a method; int32 or float32, as
    their defaults are.

    Raises ValueError for a name that the method has not, or a value out of its range (where it can be seen).
    """
    names = model.controls_of(method)
    found = {}
    for name, value in given.items():
        if name not in names:
            has = nearest(name, names) if names else "it has no controls."
            raise ValueError(f"{method}: {type(model).__name__} has no control {name!r} here; {has}")
        if value is not None:
            found[name] = within(name, value, names[name].low, names[name].high, num, names[name].dtype)
    return found


def within(name, value, low, high, num, dtype=tf.float32):
    """Returns a number for each of `num` rows between two bounds, [num]. Raises ValueError for anything else, where it
    can be seen.
    """
    value = _numbers(value, name)
    if dtype.is_integer and not value.dtype.is_integer:
        raise ValueError(f"{name} must be a whole number, found {value.dtype.name}.")
    if value.shape.rank not in (0, 1):
        raise ValueError(f"{name} must be a number, or one for each row, found {tuple(value.shape)}.")
    value = tf.cast(value, dtype)
    _require(name, value, (value >= low) & (value <= high), f"{low:g} to {high:g}")
    if value.shape.rank == 1 and _differ(value, num):
        raise ValueError(f"{name} must be a number, or one for each of {int(num)} rows, found {len(value)}.")
    return tf.broadcast_to(value, [num])


def _one_condition(domain, given, num, name):
    if given is None:
        raise ValueError(f"{name}: {_needed(domain)} per row is needed.")
    given = _numbers(given, name)
    if domain.kind == "class" and given.shape.rank == 0:
        given = tf.broadcast_to(given, [num])
    given = example(domain, given, name)
    if _differ(given, num):
        raise ValueError(f"{name}: {_needed(domain)} for each of {int(num)} rows is needed, found {len(given)}.")
    return given


def _needed(domain):
    """Says what a condition of this domain is, in words."""
    if domain.kind == "class":
        return f"a class label, 0 to {domain.levels - 1},"
    return {"known": "what is known of the example", "labels": f"a label map of shape {tuple(domain.shape)}"}.get(
        domain.kind, f"an array of shape {tuple(domain.shape)}")


def _numbers(x, name):
    """Returns a tensor; of Python's and NumPy's numbers the widest type: nothing is rounded before it is looked at."""
    if tf.is_tensor(x) or isinstance(x, tf.Variable):
        return tf.convert_to_tensor(x)
    try:
        x = np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} must be an array of numbers, found rows of different lengths.") from None
    if x.dtype.kind not in "biuf":
        found = "text" if x.dtype.kind in "SU" else "things that are none"
        raise ValueError(f"{name} must be an array of numbers, found {found}.")
    return tf.convert_to_tensor(x)


def _shaped(domain, x, name):
    """Returns x as [batch, *shape]: an image of one channel may come without it. Raises ValueError for others."""
    shape = tuple(domain.example_shape)
    found = tuple(x.shape[1:]) if x.shape.rank else None
    if found is not None and len(shape) >= 3 and shape[-1] == 1 and found == shape[:-1]:
        return x[..., None]
    if found is None or len(found) != len(shape) or not tf.TensorShape(found).is_compatible_with(shape):
        wanted = f"[batch, {', '.join(map(str, shape))}]" if shape else "[batch]"
        hint = f"; one example is a batch of one, {name}[None]" if tuple(x.shape) == shape else ""
        raise ValueError(f"{name} must be {wanted}, found {tuple(x.shape)}{hint}.")
    return x


def _limits(domain):
    """Returns the (lowest, highest) value of an entry, None where there is no limit."""
    if domain.kind == "known":
        return _UNKNOWN, (domain.levels or 2) - 1.0
    if domain.kind == "binary":
        return 0.0, 1.0
    if domain.dtype == tf.int32:
        return 0, domain.levels - 1
    return domain.range or (None, None)


def _require_values(domain, x, name):
    """Raises ValueError where what can be seen of x is no example of the domain."""
    low, high = _limits(domain)
    whole = domain.dtype == tf.int32 or domain.kind == "binary"
    if domain.kind == "real" and domain.range and not x.dtype.is_floating:
        raise ValueError(f"{name} must be floats on [{low:g}, {high:g}], found {x.dtype.name}; {_scaling(low, high)}.")
    if tf.is_symbolic_tensor(x):
        if domain.dtype == tf.int32 and x.dtype.is_floating:
            raise ValueError(f"{name} must be whole numbers, {low} to {high}, found {x.dtype.name} in a graph.")
        return
    if x.dtype == tf.bool:
        x = tf.cast(x, tf.int32)
    if x.dtype.is_floating:
        _require_finite(x, name)
    if not tf.size(x) or low is None:
        return
    least, most = float(tf.reduce_min(x)), float(tf.reduce_max(x))
    broken = x != tf.round(x) if whole and x.dtype.is_floating else None
    if broken is not None and bool(tf.reduce_any(broken)):
        raise ValueError(f"{name} must be whole numbers, {low:g} to {high:g}, found {_first(x, broken)}"
                         f"{_advice(domain, least, most)}.")
    slack = 0.0 if whole else _SLACK * max(abs(low), abs(high))
    if least < low - slack or most > high + slack:
        allowed = "0 or 1" if domain.kind == "binary" else f"{low:g} to {high:g}"
        found = f"{least:g} to {most:g}" if least < most else f"{least:g}"
        raise ValueError(f"{name} must be {allowed}, found {found}{_advice(domain, least, most)}.")
    if domain.kind == "strokes" and bool(tf.reduce_any(tf.reduce_sum(x[..., 2:], -1) != 1.0)):
        raise ValueError(f"{name}: the last three numbers of each step say what the pen does, one of them 1 and two 0.")


def _advice(domain, least, most):
    """Says what to do with values that are right for another model, a clause."""
    if domain.kind == "binary" and least >= 0:
        return f": binarize them ({'x >= 128' if most > 1 else 'x >= 0.5'}), or make a model with more levels"
    if domain.kind == "levels" and most <= 1 and least >= 0:
        return f": of values on [0, 1] take round({domain.levels - 1} x)"
    return f": make a model with levels={int(most) + 1}" if domain.kind == "levels" and least >= 0 else ""


def _scaling(low, high):
    sign = "-" if low < 0 else "+"
    shift = f" {sign} {abs(low):g}" if low else ""
    return f"images of 256 levels become these by {high - low:g} * x / 255{shift}"


def _require_finite(x, name):
    if x.dtype.is_floating and not tf.is_symbolic_tensor(x) and not bool(tf.reduce_all(tf.math.is_finite(x))):
        raise ValueError(f"{name} must be finite numbers, found {_first(x, ~tf.math.is_finite(x))}.")


def _require(name, value, fits, allowed):
    if not tf.is_symbolic_tensor(value) and not bool(tf.reduce_all(fits)):
        raise ValueError(f"{name} must be {allowed}, found {_first(value, ~fits)}.")


def _first(x, wrong):
    """Returns the first of the values that are wrong."""
    return f"{tf.boolean_mask(tf.reshape(x, [-1]), tf.reshape(wrong, [-1]))[0].numpy():g}"


def _differ(x, num):
    """Returns whether x is seen not to have `num` rows."""
    return not tf.is_symbolic_tensor(x) and not tf.is_symbolic_tensor(num) and len(x) != int(num)


def _same_rows(a, b, a_name, b_name):
    if not a.shape[:1].is_compatible_with(b.shape[:1]):
        raise ValueError(f"{a_name} must have as many rows as {b_name}, found {a.shape[0]} and {b.shape[0]}.")


def pairs(seeds):
    """Returns a seed for each row, int32 [batch, 2], as they are given. Raises ValueError for anything else."""
    seeds = _numbers(seeds, "seeds")
    if seeds.shape.rank != 2 or seeds.shape[1] != 2 or not seeds.dtype.is_integer:
        found = f"{seeds.dtype.name} {tuple(seeds.shape)}"
        raise ValueError(f"seeds must be int32 [batch, 2], a pair for each row, or an integer, found {found}.")
    return tf.cast(seeds, tf.int32)


def _is_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
