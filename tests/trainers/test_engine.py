"""The compiled step: clipping after the all-reduce, one replica equals two, noise per replica, averages of weights,
losses that are not finite."""

import functools

import keras
import ml_collections
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases
from trainers.data import options
from trainers.recipes import ANY, RECIPES
from trainers.recipes.recipe import EVALUATION, SCHEDULE, SELECTION
from trainers.runs.config import default
from trainers.training import optimizers, strategies
from trainers.training.engine import Engine
from zoo import random
from zoo.layers.following import followed
from zoo.training.game import measure


def config(**entries):
    made = default("vae", "digits")
    made.players = ml_collections.ConfigDict()
    made.ema, made.steps, made.optimizer.weight_decay, made.optimizer.name = 0.0, 100, 0.0, "adam"
    made.schedule.name = "constant"
    for key, value in entries.items():
        target = made.optimizer if key == "learning_rate" else made
        target[key] = value
    return made


@functools.cache
def strategy(replicas):
    """One of each for the whole process: two mirrored strategies would number their collectives alike."""
    return strategies.make("mirrored", replicas) if replicas > 1 else strategies.make("one_device")


def engine(name, replicas=1, settings=None, jit=False, **arguments):
    keras.utils.set_random_seed(3)
    return Engine(lambda: zoo.create(name, **(cases.CASES[name] | arguments)), settings or config(), strategy(replicas),
                  seed=11, jit=jit)


def batches(model, size=8, num=4):
    return iter(tf.data.Dataset.from_tensor_slices(cases.batch(model,
                                                               size * num)).batch(size, drop_remainder=True).repeat())


def test_two_replicas_equal_one_with_clipping_on():
    settings = config(clip_norm=0.1, learning_rate=1e-2)
    settings.optimizer.name = "sgd"
    weights, starts = [], []
    for replicas in (1, 2):
        one = engine("pixel_cnn", replicas, settings)
        starts.append(one.weights())
        one.advance(batches(one.model), 20)
        weights.append(one.weights())
    for start, a, b in zip(starts[0], *weights):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert max(np.abs(a - s).max() for a, s in zip(weights[0], starts[0])) > 1e-3


def test_clipping_bounds_the_whole_update():
    settings = config(clip_norm=0.01, learning_rate=1.0)
    settings.optimizer.name = "sgd"
    for replicas in (1, 2):
        one = engine("vae", replicas, settings)
        before = one.weights()
        one.advance(batches(one.model), 1)
        moved = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(before, one.weights())))
        # the gradient's norm is far above, so it is clipped to the bound
        np.testing.assert_allclose(moved, 0.01, rtol=1e-4)


def test_replicas_draw_different_noise():
    two = engine("vae", 2)
    x = cases.batch(two.model, 4)
    steps = tf.function(lambda: two.strategy.run(two._replica_step, ([x], tf.constant(0, tf.int64), (0,))))
    first, second = (r.numpy() for r in two.strategy.experimental_local_results(steps()))
    named = dict(zip(two.names((0,), two._spec(batches(two.model))), zip(first, second)))
    np.testing.assert_allclose(*named["kl"], rtol=1e-6)  # no noise in it: same weights, same batch
    assert abs(named["reconstruction"][0] - named["reconstruction"][1]) > 1e-4


@pytest.mark.parametrize("name", cases.GENERIC)
def test_a_step_is_each_player_in_turn(name):
    """The engine against the same thing by hand: gradients at the weights that the players before have moved."""
    settings = config(learning_rate=0.1)
    settings.optimizer.name = "sgd"
    one, batch = engine(name, settings=settings), None
    twin = engine(name, settings=settings).model
    batch = next(batches(one.model))
    one.advance(batches(one.model), 1)
    for index, player in enumerate(twin.players()):
        if player.start > 0:
            continue
        _, gradients, values = measure(player, batch, random.fold_in(random.seed(11), 0, index, 0, 0), tf.constant(0))
        for weight, gradient in zip(player.weights, gradients):
            weight.assign_sub(0.1 * gradient)
        for item, value in zip(followed(player.follows), values):
            item.weight.assign(value)
    for ours, theirs in zip(one.model.get_weights(), twin.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_several_steps_a_call_equal_single_ones():
    many, single = engine("vae"), engine("vae")
    many.advance(batches(many.model), 4)
    iterator = batches(single.model)
    for _ in range(4):
        single.advance(iterator, 1)
    for a, b in zip(many.weights(), single.weights()):
        np.testing.assert_array_equal(a, b)
    assert int(many.step) == int(single.step) == 4


@pytest.mark.parametrize("replicas", [1, 2])
def test_moving_average_of_the_weights(replicas):
    """Of decay (1 + n) / (10 + n) after n updates, until that is more than the decay that was asked for."""
    one = engine("vae", replicas, config(ema=0.2, learning_rate=1e-2))
    iterator, average = batches(one.model), None
    for decay in (0.0, 2 / 11, 0.2, 0.2):
        one.advance(iterator, 1)
        weights = one.model.get_weights()
        average = weights if average is None else [decay * a + (1 - decay) * w for a, w in zip(average, weights)]
    for ours, theirs in zip(one.weights(), average):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert any(np.any(a != w) for a, w in zip(one.weights(), weights))


def test_a_loss_that_is_not_finite_names_step_and_term():
    one = engine("real_nvp")
    good = cases.batch(one.model, 8).numpy()
    bad = np.where(np.arange(8)[:, None] == 3, np.nan, good).astype(good.dtype) if good.ndim == 2 else good * np.nan
    iterator = iter(tf.data.Dataset.from_tensor_slices(np.stack([good, good, bad, good])))
    means, wrong = one.advance(iterator, 4)
    assert means is None and wrong[0] == 2 and wrong[1] in ("prior", "log_det")


def test_jit_computes_the_same():
    plain, jitted = engine("real_nvp"), engine("real_nvp", jit=True)  # no noise in its loss: XLA draws other bits
    a, b = plain.advance(batches(plain.model), 3)[0], jitted.advance(batches(jitted.model), 3)[0]
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4)


@pytest.mark.parametrize("option, name",
                         [("jit", "vae"), ("mixed_precision", "gan"),
                          *(pytest.param("jit", name, marks=pytest.mark.slow) for name in cases.TRAINED
                            if name != "vae"),
                          *(pytest.param("mixed_precision", name, marks=pytest.mark.slow) for name in cases.TRAINED
                            if name != "gan")])
def test_every_model_trains_on_two_replicas_with(option, name):
    keras.config.set_dtype_policy("mixed_bfloat16" if option == "mixed_precision" else "float32")
    try:
        one = engine(name, 2, config(clip_norm=1.0), jit=option == "jit")
        means, wrong = one.advance(batches(one.model), 2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert wrong is None and all(np.isfinite(value) for value in means.values()) and one.finite()


def test_players_take_their_own_optimizer_arguments():
    settings = config(learning_rate=1e-3)
    settings.players = ml_collections.ConfigDict({"generator": {"learning_rate": 5e-4, "beta_1": None}})
    settings.optimizer.beta_1 = 0.3
    one = engine("gan", settings=settings)
    rates = {name: float(optimizer.learning_rate) for name, optimizer in one.optimizers.items()}
    np.testing.assert_allclose([rates["discriminator"], rates["generator"]], [1e-3, 5e-4])
    assert {optimizer.beta_1 for optimizer in one.optimizers.values()} == {0.3}


def test_no_weight_decay_is_none():
    settings = config()
    for name in ("adam", "adamw", "sgd"):
        settings.optimizer.name = name
        assert not optimizers.make(settings, "model").weight_decay
    settings.optimizer.weight_decay = 0.1
    assert optimizers.make(settings, "model").weight_decay == 0.1


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("decay_all", [False, True])
def test_weight_decay_is_of_matrices_unless_asked_for_of_all(decay_all, replicas):
    """A step without gradients: AdamW leaves what does not decay as it is."""
    settings = config(learning_rate=0.1)
    settings.optimizer.name, settings.optimizer.weight_decay, settings.optimizer.decay_all = "adamw", 0.5, decay_all
    one = engine("image_gpt", replicas, settings)
    weights = list(one.players[0].weights)
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    still = tf.function(lambda: one.update(0, [tf.zeros(weight.shape) for weight in weights], []))
    one.strategy.run(still)
    kinds = {weight.path.rpartition("/")[2] for weight in weights}
    assert {"kernel", "bias", "scale"} <= kinds
    for weight in weights:
        decays = decay_all or len(weight.shape) > 1
        np.testing.assert_allclose(weight.numpy(), 0.95 if decays else 1.0, rtol=1e-6, err_msg=weight.path)


def test_a_player_can_decay_all_that_it_has():
    settings = config()
    settings.optimizer.name, settings.optimizer.weight_decay, settings.optimizer.decay_all = "adamw", 0.5, False
    settings.players = ml_collections.ConfigDict({"generator": {"decay_all": True}})
    one = engine("gan", settings=settings)
    for player in one.players:
        decays = {one.optimizers[player.name]._use_weight_decay(weight) for weight in player.weights
                  if len(weight.shape) < 2}
        assert decays == {player.name == "generator"}


def test_schedules():
    def rate(schedule, step, steps=3280):
        made = optimizers.make_schedule(1e-3, dict(warmup_steps=0, end=0.0, decay=1.0) | schedule, steps)
        return float(made(step))

    assert rate(dict(name="constant"), 3000) == pytest.approx(1e-3)
    assert rate(dict(name="cosine", end=0.1), 0) == pytest.approx(1e-3)
    assert rate(dict(name="cosine", end=0.1), 3280) == pytest.approx(1e-4)
    assert rate(dict(name="cosine"), 1640) == pytest.approx(5e-4)
    assert rate(dict(name="linear"), 820) == pytest.approx(7.5e-4)
    assert rate(dict(name="exponential", decay=0.999), 1000) == pytest.approx(1e-3 * 0.999**1000, rel=1e-4)
    assert rate(dict(name="constant", warmup_steps=10), 4) == pytest.approx(5e-4)
    for stage in range(8):  # the stages of the importance-weighted autoencoder: 3^i epochs of 3280 at 10^(-i/7)
        begin = sum(3**i for i in range(stage))
        for step in (begin + 1, begin + 3**stage):
            assert rate(dict(name="staged"), step) == pytest.approx(1e-3 * 10 ** (-stage / 7), rel=1e-5), (stage, step)


def test_every_model_has_a_recipe_for_any_data_set():
    assert {recipe.model for recipe in RECIPES if recipe.dataset == ANY} == set(zoo.MODELS)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.model}-{r.dataset}")
def test_every_recipe_is_whole(recipe):
    """Every entry is one that the model, the optimizer and the loop know, and the optimizer can be made."""
    made = default(recipe.model, recipe.dataset)
    assert set(recipe.arguments) <= set(made.model)
    options.check(recipe.data)
    assert (
        set(recipe.evaluation) <= set(EVALUATION)
        and set(recipe.schedule) <= set(SCHEDULE)
        and set(recipe.selection) <= set(SELECTION)
    )
    players = [p.name for p in cases.make(recipe.model).players()]
    optimizers.check(made, players)
    for player in players:
        optimizers.make(made, player)
