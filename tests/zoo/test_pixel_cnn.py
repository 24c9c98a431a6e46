"""PixelCNN: a distribution that sums to one and can't look ahead, and a cached sampler that equals the naive one."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.naive import naive_sample
from zoo import random
from zoo.autoregressive.parts.raster import Schedule
from zoo.autoregressive.pixel_cnn import PixelCNN
from zoo.layers.masked_convolution import MaskedConv2D

KINDS = {
    "binary": dict(shape=(5, 7, 1)),
    "categorical": dict(shape=(4, 3, 1), levels=5, kernel_size=5, block_kernel_size=5),
    "rgb": dict(shape=(3, 5, 3), kernel_size=3),
    "rgb_categorical": dict(shape=(4, 4, 3), levels=3, channels=14, head_channels=7),
    "two_channels": dict(shape=(4, 1, 2), levels=3),
    "one_row": dict(shape=(1, 6, 1), block_kernel_size=5),
    "classes": dict(shape=(4, 5, 1), classes=3),
    "rgb_classes": dict(shape=(3, 3, 3), levels=3, classes=2),
}


def make(**arguments):
    """A tiny model in which the pixels depend on one another, and all of their values occur: the logits' spread is
    about 1.5."""
    keras.utils.set_random_seed(7)
    model = PixelCNN(**dict(channels=18, blocks=2, head_channels=16) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape,
                                 scale=1.5 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3))
    x = tf.cast(rng.integers(0, model.levels, (64, *model.shape)), model.domain.dtype)
    logits = model.parameters(x, labels(model, 64)).numpy()
    kernel, bias = model.head[-1].weights
    bias.assign((bias - logits.reshape(-1, bias.shape[0]).mean(0)) * 1.5 / logits.std())
    kernel.assign(kernel * 1.5 / logits.std())
    return model


def labels(model, num):
    return tf.range(num) % model.classes if model.classes else None


def every_image(shape, levels):
    images = list(itertools.product(range(levels), repeat=int(np.prod(shape))))
    return tf.reshape(tf.constant(images, tf.float32 if levels == 2 else tf.int32), [-1, *shape])


@pytest.mark.parametrize("shape, levels, classes",
                         [((3, 3, 1), 2, None), ((2, 2, 1), 3, None), ((2, 1, 3), 2, None), ((1, 2, 3), 3, None),
                          ((2, 3, 1), 2, 2)])
def test_probabilities_of_all_images_sum_to_one(shape, levels, classes):
    model = make(shape=shape, levels=levels, classes=classes)
    x = every_image(shape, levels)
    for label in range(classes or 1):
        log_prob = model.log_prob(x, tf.fill([len(x)], label) if classes else None)
        assert np.std(log_prob) > 0.1
        np.testing.assert_allclose(np.sum(np.exp(log_prob, dtype=np.float64)), 1.0, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_logits_depend_on_exactly_the_earlier_entries(channels):
    model = make(shape=(3, 4, channels), channels=24, head_channels=24)
    size, depends = 12 * channels, 0.0
    for seed in range(3):  # some ReLUs are shut at one input
        x = tf.cast(random.uniform_rows(random.rows(random.seed(seed), 1), model.shape) < 0.5, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = tf.reshape(model.parameters(x), [size])
        depends += np.abs(tf.reshape(tape.jacobian(logits, x), [size, size]))
    np.testing.assert_array_equal(depends > 0, np.tri(size, k=-1) > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_entry_leaves_all_logits_up_to_its_own(kind):
    model = make(**KINDS[kind])
    size, levels = int(np.prod(model.shape)), model.levels
    x = np.random.default_rng(1).integers(0, levels, size)
    changed = np.where(np.eye(size, dtype=bool), (x + 1) % levels, x)  # row k differs in entry k
    both = tf.reshape(tf.cast(np.concatenate([x[None], changed]), model.domain.dtype), [-1, *model.shape])
    condition = tf.zeros([size + 1], tf.int32) if model.classes else None
    logits = tf.reshape(model.parameters(both, condition), [size + 1, size, -1]).numpy()
    difference = np.abs(logits[1:] - logits[:1]).max(-1)  # [changed entry, logits' entry]
    assert difference[np.tri(size) > 0].max() < 1e-5
    assert (difference.max(0)[1:] > 1e-3).all()  # all but the first depend on something


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_masked_convolution_is_a_full_one_with_a_masked_kernel(kind, groups, size):
    layer, x = MaskedConv2D(2 * groups, size, kind, groups), tf.random.stateless_normal([2, 4, 6, 3 * groups], [1, 2])
    layer.build(x.shape)
    layer.bias.assign(tf.range(2.0 * groups))
    full = np.zeros([size, size, 3 * groups, 2 * groups], np.float32)
    for u, v, i, o in np.ndindex(full.shape):
        at, centre = (u, v), (size // 2, size // 2)
        allowed = i // 3 < o // 2 if kind == "A" else i // 3 <= o // 2
        if at < centre or (at == centre and allowed):
            full[u, v, i, o] = layer.kernel.numpy()[u, v, i, o]
    np.testing.assert_allclose(layer(x), tf.nn.conv2d(x, full, 1, "SAME") + layer.bias, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_cached_sampler_equals_naive(kind):
    model = make(**KINDS[kind])
    seeds = random.rows(random.seed(3), 6)
    samples = model.sample(seeds, labels(model, 6))
    assert samples.dtype == model.domain.dtype and samples.shape == (6, *model.shape)
    naive = naive_sample(model, model.noise(seeds), labels(model, 6))
    np.testing.assert_array_equal(samples, naive)
    assert len(np.unique(samples)) > 1


def test_samples_occur_as_often_as_log_prob_says():
    model = make(shape=(2, 2, 1))
    num, images = 4096, every_image(model.shape, 2)
    samples = tf.function(model.sample)(random.rows(random.seed(0), num))
    counts = np.bincount(np.reshape(samples, [num, 4]).astype(int) @ [8, 4, 2, 1], minlength=16)
    p = np.exp(model.log_prob(images))
    assert np.all(np.abs(counts / num - p) < 4.5 * np.sqrt(p * (1 - p) / num))


@pytest.mark.parametrize("kind", ["binary", "rgb_classes"])
def test_a_row_depends_on_its_own_seed_alone(kind):
    model = make(**KINDS[kind])
    seeds, order = random.rows(random.seed(5), 5), [3, 0, 4, 1, 2]
    condition = labels(model, 5)
    pick = lambda rows: tf.gather(condition, rows) if model.classes else None
    together = model.sample(seeds, condition).numpy()
    np.testing.assert_array_equal(model.sample(tf.gather(seeds, order), pick(order)), together[order])
    np.testing.assert_array_equal(model.sample(seeds[:3], pick([0, 1, 2])), together[:3])
    for i in range(5):
        np.testing.assert_array_equal(model.sample(seeds[i:i + 1], pick([i]))[0], together[i])


def prefix_mask(model, lengths):
    height, width, _ = model.shape
    return tf.reshape(tf.sequence_mask(lengths, height * width), [-1, height, width])


@pytest.mark.parametrize("kind", ["binary", "rgb_categorical", "one_row", "classes"])
def test_complete_keeps_the_known_and_draws_the_rest_as_the_naive_sampler_does(kind):
    model = make(**KINDS[kind])
    seeds, condition = random.rows(random.seed(3), 5), labels(model, 5)
    x = model.sample(random.rows(random.seed(4), 5), condition)
    size = model.shape[0] * model.shape[1]
    mask = prefix_mask(model, [0, 1, size // 2, size - 1, size])
    completed = model.complete(x, mask, seeds, condition).numpy()
    np.testing.assert_array_equal(completed[mask], x[mask])
    np.testing.assert_array_equal(completed[0], model.sample(seeds, condition)[0])
    naive = naive_sample(model, model.noise(seeds), condition, x, mask)
    np.testing.assert_array_equal(completed, naive)
    hidden = tf.where(mask[..., None], x, 1 - x)  # what is not known plays no part
    np.testing.assert_array_equal(completed, model.complete(hidden, mask, seeds, condition))


def test_one_graph_serves_every_batch_size():
    model = make(**KINDS["rgb_classes"])
    specs = tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None], tf.int32)
    sample = tf.function(model.sample, input_signature=specs)
    whole = [tf.TensorSpec([None, *model.shape], tf.int32), tf.TensorSpec([None, *model.shape[:2]], tf.bool), *specs]
    complete = tf.function(model.complete, input_signature=whole)
    for num in (1, 4):
        seeds, condition = random.rows(random.seed(1), num), labels(model, num)
        samples = sample(seeds, condition)
        np.testing.assert_array_equal(samples, model.sample(seeds, condition))
        mask = prefix_mask(model, [4] * num)
        np.testing.assert_array_equal(complete(samples, mask, seeds, condition),
                                      model.complete(samples, mask, seeds, condition))
    assert sample.experimental_get_tracing_count() == complete.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("height, width", [(1, 5), (4, 1), (3, 4), (5, 9)])
@pytest.mark.parametrize("size", [3, 5, 7])
def test_schedule_draws_each_pixel_once_and_after_its_neighbours(height, width, size):
    layer = MaskedConv2D(1, size, "A")
    schedule = Schedule(height, width, layer.offsets)
    ring, table = schedule.ring(layer.offsets), schedule.table(layer.offsets)
    assert sorted(schedule.position) == sorted(set(schedule.position))
    for p, position in enumerate(schedule.position):
        step, slot = divmod(position, schedule.slots)
        assert schedule.pixel[step, slot] == p
        for (u, v), entry in zip(layer.offsets, table[step].reshape(-1, schedule.slots)[:, slot]):
            row, column = p // width + u, p % width + v
            if row < 0 or not 0 <= column < width:
                assert entry == ring * schedule.slots
                continue
            drawn, its_slot = divmod(schedule.position[row * width + column], schedule.slots)
            assert step - ring <= drawn < step  # drawn, and not yet overwritten
            assert entry == drawn % ring * schedule.slots + its_slot


@pytest.mark.parametrize("kind", ["binary", "rgb_classes"])
def test_mixed_precision_samples_as_float32_does(kind):
    policy = keras.mixed_precision.dtype_policy()
    model, seeds = make(**KINDS[kind]), random.rows(random.seed(2), 4)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = make(**KINDS[kind])
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    mixed.set_weights(model.get_weights())
    condition = labels(model, 4)
    x = mixed.sample(seeds, condition)
    np.testing.assert_array_equal(x, model.sample(seeds, condition))
    assert mixed.log_prob(x, condition).dtype == tf.float32
    np.testing.assert_allclose(mixed.log_prob(x, condition), model.log_prob(x, condition), rtol=0.1)


@pytest.mark.parametrize("wrong",
                         [dict(levels=1), dict(blocks=0), dict(classes=0), dict(channels=7),
                          dict(channels=4, shape=(3, 3, 3)),
                          dict(kernel_size=4), dict(kernel_size=1), dict(block_kernel_size=1),
                          dict(shape=(3, 3, 3), head_channels=2)])
def test_wrong_arguments_raise(wrong):
    with pytest.raises(ValueError):
        make(**dict(shape=(3, 3, 1)) | wrong)


def test_a_condition_is_needed_where_there_are_classes_and_refused_where_there_are_none():
    seeds = random.rows(random.seed(0), 2)
    with pytest.raises(ValueError, match="condition"):
        make(shape=(2, 2, 1), classes=2).sample(seeds)
    with pytest.raises(ValueError, match="condition"):
        make(shape=(2, 2, 1)).sample(seeds, tf.zeros([2], tf.int32))
