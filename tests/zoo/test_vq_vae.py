"""VQ-VAE and VQ-VAE-2: the bound against all grids of codes, samples, the two stages with their resumption, replicas,
bad arguments."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from benchmarks.naive import naive_sample
from tests.support import cases
from tests.support.variationals import perturbed
from tests.trainers.test_engine import batches, config, engine
from trainers.recipes import RECIPES
from zoo import random
from zoo.latent.vq_vae import VQVAE
from zoo.latent.vq_vae_2 import VQVAE2
from zoo.model import split_batch
from zoo.training.game import check_accumulation, losses_and_gradients

NAMES = ("vq_vae", "vq_vae_2")
SMALL = dict(levels=3, codebook_size=3, embedding_size=2, channels=4, halvings=1, residuals=1, residual_channels=3,
             likelihood="categorical", prior_channels=4, prior_blocks=1)
TINY = {  # one level unconditional, two levels conditional
    "vq_vae": (VQVAE, SMALL | dict(shape=(4, 4, 1))),
    "vq_vae_2": (VQVAE2, SMALL | dict(shape=(4, 4, 1), codebook_size=2, classes=2))}


def grids(model):
    """All codes of all levels, as `codes` gives them: [grids, h, w] each."""
    shapes = [prior.shape[:2] for prior in model.code_priors]
    places = [h * w for h, w in shapes]
    every = np.array(list(itertools.product(range(model.quantizers[0].entries), repeat=sum(places))), np.int32)
    parts = np.split(every, np.cumsum(places)[:-1], 1)
    return tuple(tf.constant(part.reshape(-1, *shape)) for part, shape in zip(parts, shapes))


def test_fit_gives_who_stops_its_averages_before_the_next_stage():
    model = VQVAE(**TINY["vq_vae"][1] | dict(autoencoder_steps=3))
    own = {player.name: keras.optimizers.SGD(1e-2, use_ema=player.name == "autoencoder", ema_momentum=0.9)
           for player in model.players()}
    model.compile(own)
    player = model.players()[0]
    states = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            averages = model._fit.game.averages.of(player.weights)
            states.append([w.numpy() for w in player.weights])
            same = all(np.array_equal(weight, averages[id(weight)]) for weight in player.weights)
            assert same == (batch != 1)  # an average begins where the first step ends

    model.fit(tf.data.Dataset.from_tensor_slices(cases.batch(model, 20)).batch(4), verbose=0, callbacks=[Look()])
    assert len(states) == 5
    for weight, *later in zip(states[2], states[3], states[4], player.weights, strict=True):
        for other in later:
            np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("name", TINY)
def test_the_bound_is_one_term_of_the_sum_over_all_grids(name):
    """log p(x) = log sum_k p(x|k) p(k) by enumeration: above the bound for every x, which is the term of x's own
    codes."""
    model = perturbed(*TINY[name])
    codes = grids(model)
    num = len(codes[0])
    condition = tf.ones([num], tf.int32) if model.classes else None
    log_prior = np.sum(model._log_priors(codes, condition), 0, dtype=np.float64)
    np.testing.assert_allclose(np.exp(log_prior).sum(), 1.0, atol=1e-4)
    likelihood = model.observation.distribution(model.parameters(model._entries(codes)))
    x, label = split_batch(cases.batch(model, 6))
    label = None if label is None else tf.ones_like(label)
    bounds = model._elbo(x, None, label).numpy()
    found = model.codes(x)
    for row in range(6):
        joint = likelihood.log_prob(x[row:row + 1]).numpy() + log_prior
        own = np.all([np.all(every == k[row], (1, 2)) for every, k in zip(codes, found)], 0)
        assert own.sum() == 1
        np.testing.assert_allclose(joint[own], bounds[row], rtol=1e-4)
        assert np.log(np.exp(joint - joint.max()).sum()) + joint.max() > bounds[row]
    rate, distortion = model.rate_distortion(x, None, label)
    np.testing.assert_allclose(-rate - distortion, bounds, rtol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_a_sample_is_the_priors_sample_decoded(name):
    model = perturbed(*TINY[name])
    seeds = random.rows(random.seed(5), 6)
    condition = tf.range(6) % 2 if model.classes else None
    codes = model.sample_codes(random.fold_in_rows(seeds, 0), condition)
    entries = []
    for level, (prior, k) in enumerate(zip(model.code_priors, codes)):
        given = model.prior_condition(level, entries, condition)
        noise = prior.noise(random.fold_in_rows(random.fold_in_rows(seeds, 0), level))
        np.testing.assert_array_equal(k, naive_sample(prior, noise, given)[..., 0])
        entries.append(tf.gather(model.quantizers[level].codebook(), k))
    np.testing.assert_allclose(model.sample_mean(seeds, condition), model.observation.mean(model.parameters(entries)),
                               atol=1e-5)
    x = model.sample(seeds, condition)
    noise = model.observation.noise_rows(random.fold_in_rows(seeds, 1), model.shape)
    np.testing.assert_array_equal(x, model.observation.from_noise(model.parameters(entries), noise))


@pytest.mark.parametrize("name", TINY)
def test_decode_and_codes_agree(name):
    model = perturbed(*TINY[name])
    x, _ = split_batch(cases.batch(model, 5))
    np.testing.assert_allclose(model._decode(model._encode(x)), model.decode_codes(model.codes(x)), atol=1e-6)


def test_the_loss_is_the_papers():
    """-log p(x|z_q) + beta ||z_e - sg[e]||^2, and the encoder's gradient is the decoder's at z_q, passed on, and the
    commitment's."""
    model = perturbed(*TINY["vq_vae"])
    x = cases.batch(model, 6)
    (z, q, codes), = model.latents(x)
    entries = tf.gather(model.quantizers[0].codebook(), codes)
    terms, _ = model.autoencoder_objective(x, random.seed(0))
    np.testing.assert_allclose(terms["reconstruction"],
                               -model.observation.distribution(model.parameters([entries])).log_prob(x), rtol=1e-5)
    np.testing.assert_allclose(terms["commitment"], 0.25 * np.sum((z - entries) ** 2, (1, 2, 3)), rtol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch(entries)
        loss = -tf.reduce_mean(model.observation.distribution(model.parameters([entries])).log_prob(x))
    straight = tape.gradient(loss, entries)
    weights = model.encoder.trainable_weights
    with tf.GradientTape() as tape:
        moved = tf.reduce_sum(model.latents(x)[0][0] * (straight + 0.5 / 6 * tf.stop_gradient(z - entries)))
    expected = tape.gradient(moved, weights)
    player = model.players()[0]
    ours = dict(zip((id(w) for w in player.weights), losses_and_gradients(player, x, random.seed(0))[1]))
    for weight, value in zip(weights, expected):
        np.testing.assert_allclose(ours[id(weight)], value, atol=1e-5)


def test_no_player_moves_what_is_anothers():
    model = perturbed(*TINY["vq_vae_2"])
    players = model.players()
    own = [{id(w) for w in player.weights} for player in players]
    followed = [{id(item.weight) for item in player.follows} for player in players]
    assert [p.name for p in players] == ["autoencoder", "prior"]
    assert set.union(*own) == {id(w) for w in model.trainable_weights}
    assert followed == [{id(w) for w in model.non_trainable_weights}, set()] and len(followed[0]) == 4
    for player, its in zip(players, own):
        every = player._replace(weights=model.trainable_weights)
        for weight, gradient in zip(model.trainable_weights,
                                    losses_and_gradients(every, cases.batch(model, 4), random.seed(1))[1]):
            assert gradient is None or id(weight) in its, (player.name, weight.path)


def staged(name="vq_vae", replicas=1, **entries):
    return engine(name, replicas, config(learning_rate=1e-2, **entries))


def advance(one, iterator, calls):
    """Takes the calls as the loop would: none goes over the end of a stage."""
    for num in calls:
        while num:
            taken = min(num, one.steps_left(int(one.step)) or num)
            means, bad = one.advance(iterator, taken)
            assert bad is None
            num -= taken
    return means


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_second_stage_moves_the_prior_and_nothing_else(name):
    one = staged(name, ema=0.9)
    iterator = batches(one.model)
    autoencoder, prior = ([w.value for w in player.weights] for player in one.model.players())
    codebook = [item.weight.value for item in one.model.players()[0].follows]
    begun = [w.numpy() for w in codebook]
    start = [w.numpy() for w in prior]
    first = advance(one, iterator, [2])
    assert {name.split("_")[0] for name in first} == {"autoencoder"}
    assert all(np.any(before != weight.numpy()) for before, weight in zip(begun, codebook))
    measured = [f"{level}{what}" for level in one.model.level_names for what in ("perplexity", "codes_used")]
    assert {f"autoencoder_{name}" for name in measured} <= set(first)
    for before, weight in zip(start, prior):
        np.testing.assert_array_equal(before, weight)
    frozen = [w.numpy() for w in codebook + autoencoder]
    second = advance(one, iterator, [3])
    assert {name.split("_")[0] for name in second} == {"prior"}
    for before, weight in zip(frozen, codebook + autoencoder):
        np.testing.assert_array_equal(before, weight)  # bit for bit
    assert all(np.any(before != weight.numpy()) for before, weight in zip(start, prior))
    evaluated = {id(w): value for w, value in zip(one.model.weights, one.weights())}
    player = one.model.players()[0]
    # What the prior learned from is what is evaluated: the averages became the weights.
    for weight in (*player.weights, *(item.weight for item in player.follows)):
        np.testing.assert_array_equal(evaluated[id(weight)], weight)


def test_the_prior_learns_the_codes_of_the_averaged_encoder():
    one = staged(ema=0.5)
    iterator, average = batches(one.model), None
    player = one.model.players()[0]
    for _ in range(2):
        before = None if average is None else average
        one.advance(iterator, 1)
        if int(one.step) == 1:
            average = [w.numpy() for w in player.weights]
    twin = staged(ema=0.0)
    iterator = batches(twin.model)
    twin.advance(iterator, 1), twin.advance(iterator, 1)
    latest = [w.numpy() for w in twin.model.players()[0].weights]
    for weight, a, b in zip(player.weights, before, latest):
        np.testing.assert_allclose(weight, 2 / 11 * a + 9 / 11 * b, atol=1e-6)  # the decay after one update


@functools.cache
def uninterrupted():
    whole = staged(ema=0.9)
    advance(whole, batches(whole.model), [4])
    return whole.weights()


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 3])
def test_resumed_before_at_and_after_the_boundary(at, tmp_path):
    """The state of a checkpoint is all there is: a new engine that takes it over goes on bit for bit."""
    first, second = (staged(ema=0.9) for _ in range(2))
    iterator = batches(first.model)
    advance(first, iterator, [at])
    path = tf.train.Checkpoint(**first.state()).write(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(**second.state()).read(path).assert_consumed()
    advance(second, iterator, [1] * (4 - at))
    for ours, theirs in zip(uninterrupted(), second.weights()):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_two_replicas_equal_one_on_the_joined_batch():
    """Moving averages, revival (all entries in the first step) and both stages; clipping does not touch the
    codebook."""
    weights = []
    for replicas in (1, 2):
        one = staged("vq_vae", replicas, clip_norm=0.5, ema=0.5)
        advance(one, batches(one.model), [4])
        weights.append(one.weights())
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_skipped_update_leaves_the_codebook(replicas):
    one = staged("vq_vae", replicas, skip_norm=1e-6)
    before = one.model.get_weights()
    one.advance(batches(one.model), 2)
    assert one.totals() == {"skipped": 2}
    for ours, theirs in zip(before, one.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_codebook_that_revives_entries_takes_no_batch_in_parts():
    check_accumulation(VQVAE(**TINY["vq_vae"][1] | dict(revival=0.0)).players())
    with pytest.raises(ValueError, match="no mean over the parts of a batch"):
        check_accumulation(VQVAE(**TINY["vq_vae"][1]).players())


def test_an_embedding_has_one_channel():
    with pytest.raises(ValueError, match="embedding must be 0, or at least 1 for images of one channel"):
        zoo.create("gated_pixel_cnn", shape=(4, 4, 3), embedding=2)


@pytest.mark.parametrize("name, arguments, message", [
    ("vq_vae", dict(codebook_size=0), "a codebook needs at least 2 entries"),
    ("vq_vae_2", dict(codebook_size=0), "a codebook needs at least 2 entries"),
    ("vq_vae", dict(shape=(8, 6, 1), halvings=2),
     "sides must be multiples of 4, since they are halved 2 times; found 8 x 6"),
    ("vq_vae_2", dict(shape=(20, 20, 1), halvings=2),
     "sides must be multiples of 8, since they are halved 3 times; found 20 x 20"),
    ("vq_vae", dict(halvings=0), "halvings must be at least 1"),
    ("vq_vae", dict(prior="made"), "prior must be one of gated_pixel_cnn, image_gpt, found 'made'"),
    ("vq_vae", dict(prior="image_gpt", classes=3), "takes no classes"),
    ("vq_vae", dict(autoencoder_steps=0), "autoencoder_steps"),
    ("vq_vae", dict(shape=(8, 8)), "shape must be an image's")])
def test_bad_arguments(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.create(name, **arguments)


def test_every_recipe_leaves_steps_for_the_prior():
    found = [recipe for recipe in RECIPES if recipe.model in NAMES]
    assert len(found) == 6 and all(0 < recipe.arguments["autoencoder_steps"] < recipe.steps for recipe in found)
