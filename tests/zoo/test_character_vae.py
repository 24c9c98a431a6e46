"""Character VAE: probabilities that sum to one with and without an end, padding that costs nothing, bounds below log p
by quadrature."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.variationals import trained
from zoo import operations, random
from zoo.latent.character_vae import CharacterVAE


def make(**arguments):
    """A tiny model whose places depend on the code."""
    keras.utils.set_random_seed(7)
    model = CharacterVAE(**dict(shape=(4,), levels=3, latent_size=2, filters=(4,), kernels=(2,), dense=6, hidden=5,
                                layers=2) | arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(size=weight.shape, scale=0.5))
    return model


def every_text(length, levels):
    return tf.constant(list(itertools.product(range(levels), repeat=length)), tf.int32)


@pytest.mark.parametrize("length, levels, end", [(4, 3, None), (4, 3, 0), (4, 4, 3), (2, 2, 1)])
def test_probabilities_of_all_texts_sum_to_one(length, levels, end):
    model, x = make(shape=(length,), levels=levels, end=end), every_text(length, levels)
    log_prob = model.likelihood(model.logits(tf.constant([[0.7, -1.2]])),
                                model.allowed(x)).log_prob(x).numpy().astype(np.float64)
    assert np.exp(log_prob).sum() == pytest.approx(1.0, abs=1e-5)
    impossible = ((x.numpy()[:, :-1] == end) & (x.numpy()[:, 1:] != end)).any(1)
    np.testing.assert_array_equal(log_prob < -1e6, impossible)
    assert np.std(log_prob[~impossible]) > 0.1


def test_the_likelihood_is_the_product_up_to_the_end():
    model, z = make(levels=4, end=3), tf.constant([[0.3, 0.1]])
    terms = tf.nn.log_softmax(model.logits(z))[0].numpy()
    for text in ([0, 2, 3, 3], [3, 3, 3, 3], [1, 1, 0, 2]):
        counted = text.index(3) + 1 if 3 in text else 4
        found = model.likelihood(model.logits(z), model.allowed(tf.constant([text]))).log_prob([text])
        np.testing.assert_allclose(found, [sum(terms[t, text[t]] for t in range(counted))], rtol=1e-5)


@pytest.mark.parametrize("end", [None, 1])
def test_texts_occur_as_often_as_log_prob_says(end):
    model, num, z = make(shape=(3,), end=end), 4096, tf.constant([[0.4, -0.8]])
    drawn = model.draw(tf.repeat(model.logits(z), num, 0),
                       random.uniform_rows(random.rows(random.seed(1), num), [3])).numpy()
    x = every_text(3, 3)
    p = np.exp(model.likelihood(model.logits(z), model.allowed(x)).log_prob(x))
    share = np.bincount(drawn @ [9, 3, 1], minlength=27) / num
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / num) + 1e-9)


def test_decodings_are_the_likeliest_characters_up_to_the_first_end():
    model, logits = make(shape=(6,), levels=4, end=2), tf.random.stateless_normal([200, 6, 4], [1, 2])
    best = tf.argmax(logits, -1).numpy()
    ended = np.maximum.accumulate(best == 2, axis=1)
    decoded = model.likeliest(logits)
    np.testing.assert_array_equal(decoded, np.where(ended, 2, best))
    assert ended.any() and not ended.all() and np.any(best != decoded)
    z = tf.constant([[0.5, 1.0], [-2.0, 0.1]])
    np.testing.assert_array_equal(model.decode(z), model.likeliest(model.logits(z)))
    endless = make(shape=(6,), levels=4)
    np.testing.assert_array_equal(endless.decode(z), tf.argmax(endless.logits(z), -1))
    assert decoded.dtype == tf.int32 == endless.decode(z).dtype


def test_bounds_lie_below_log_p_by_quadrature():
    model, x = make(latent_size=1, end=0, beta=0.3), every_text(4, 3)
    x = tf.constant([row for row in x.numpy() if not ((row[:-1] == 0) & (row[1:] != 0)).any()])
    grid = np.linspace(-8.0, 8.0, 2001)
    logits = model.logits(tf.constant(grid[:, None], tf.float32))
    log_p = np.stack([model.likelihood(logits, model.allowed(row[None])).log_prob(row) for row in x])
    weight = np.exp(-0.5 * grid**2) / math.sqrt(2.0 * math.pi) * (grid[1] - grid[0])
    exact = np.log((np.exp(log_p) * weight).sum(1))
    assert np.exp(exact).sum() == pytest.approx(1.0, abs=1e-4)
    seeds = random.rows(random.seed(0), 1000)
    one_draw, of_ten = tf.function(model.elbo), tf.function(lambda x, seeds: model.log_prob(x, seeds, num_samples=10))
    of_thousand = tf.function(lambda x, seeds: model.log_prob(x, seeds, num_samples=1000))
    for row, truth in zip(x[::5], exact[::5]):
        rows = tf.repeat(row[None], 1000, 0)
        elbo, ten = one_draw(rows, seeds).numpy(), of_ten(rows, seeds).numpy()
        error = 4.0 * np.std(ten) / math.sqrt(1000)
        assert elbo.mean() < ten.mean() + error < truth + 2.0 * error
        np.testing.assert_allclose(of_thousand(rows[:20], seeds[:20]).numpy().mean(), truth, atol=0.03)


def test_the_weight_of_the_kl_grows_and_the_bound_knows_nothing_of_it():
    model, x = make(beta=0.5, warmup_steps=10), tf.constant([[0, 1, 2, 2], [2, 1, 0, 0]])
    rate = model.rate_distortion(x, random.rows(random.seed(3), 2))[0]
    for step, weight in ((0, 0.0), (4, 0.2), (20, 0.5), (None, 0.5)):
        np.testing.assert_allclose(model.objective(x, random.seed(3), step)["kl"], weight * rate, rtol=1e-5)
    np.testing.assert_allclose(model.elbo(x, random.rows(random.seed(3), 2)),
                               -tf.add_n(model.rate_distortion(x, random.rows(random.seed(3), 2))))


def test_training_learns_to_rebuild_texts():
    keras.utils.set_random_seed(0)
    model = CharacterVAE(shape=(4,), levels=3, end=2, latent_size=4, filters=(16,), kernels=(2,), dense=32, hidden=32,
                         layers=1, beta=0.02)
    x = tf.constant([row for row in every_text(4, 3).numpy() if not ((row[:-1] == 2) & (row[1:] != 2)).any()])
    losses = trained(model, x, 300)
    assert losses[-1] < 0.5 * losses[0] and np.mean((operations.reconstruct(model, x) == x).numpy().all(1)) > 0.7


@pytest.mark.parametrize("wrong, said", [
    (dict(shape=(4, 1)), "shape"), (dict(levels=1), "levels"), (dict(end=3), "end must be a token, 0..2"),
    (dict(end=-1), "end"), (dict(kernels=(2, 3)), "equally many"),
    (dict(kernels=(5,)), "5 places"), (dict(dense=0), "dense"), (dict(beta=-1.0), "beta"),
    (dict(warmup_steps=-1), "warmup_steps")])
def test_wrong_arguments_raise(wrong, said):
    with pytest.raises(ValueError, match=said):
        make(**wrong)


def test_a_condition_is_refused():
    with pytest.raises(ValueError, match="condition"):
        make().sample(random.rows(random.seed(0), 2), tf.zeros([2], tf.int32))
