"""What every model promises, over the tiny instances of `cases.CASES`."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import zoo
from tests.support import cases
from zoo import operations, random
from zoo.capabilities import Autoencoding, Denoising, ExactLikelihood, LowerBound, capabilities
from zoo.layers import following
from zoo.model import GenerativeModel, split_batch
from zoo.training.game import losses_and_gradients

MODELS = sorted(zoo.MODELS)
HEAVY = ("pixel_cnn_pp", "pixel_snail", "ddpm", "vq_vae_2", "very_deep_vae")  # the largest graphs


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


@pytest.fixture(params=[name for name in MODELS if "sample" in capabilities(zoo.MODELS[name])])
def sampled_name(request):
    """A model that can be sampled."""
    return request.param


@pytest.fixture(params=cases.TRAINED)
def trained_name(request):
    """A model that an optimizer trains: what fitted ones promise in its place is in the tests of density estimators."""
    return request.param


def test_every_model_has_a_case_that_differs_from_its_defaults():
    assert sorted(cases.CASES) == MODELS
    for name, arguments in cases.CASES.items():
        defaults = {k: p.default for k, p in inspect.signature(zoo.MODELS[name].__init__).parameters.items()}
        assert arguments and all(defaults[k] != v for k, v in arguments.items()), name


def test_config_and_weights_round_trip(name, tmp_path):
    model = cases.shared(name)
    config = model.get_config()
    arguments = [p for p in inspect.signature(type(model).__init__).parameters if p not in ("self", "kwargs")]
    assert list(config) == arguments
    assert {k: config[k] for k in cases.CASES[name]} == cases.CASES[name]
    twin = type(model).from_config(config)
    assert twin.get_config() == config
    model.save_weights(tmp_path / "w.weights.h5")
    twin.load_weights(tmp_path / "w.weights.h5")
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    batch = cases.batch(model, 2)
    for ours, theirs in zip(losses(model, batch), losses(twin, batch), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def losses(model, batch):
    """What a model says of a batch: the terms of its players, or log p where it has none."""
    players = model.players()
    return [value for player in players for value in player.outcome(batch, random.seed(3))[0].values()] or [
        model.log_prob(*split_batch(batch))
    ]


def output(model):
    """Two samples of a model, or reconstructions where it can't be sampled."""
    x, condition = split_batch(cases.batch(model, 2))
    return (
        model.sample(random.rows(random.seed(3), 2), condition)
        if hasattr(model, "sample")
        else operations.reconstruct(model, x, condition)
    )


def test_a_model_is_generative_if_it_can_be_sampled(name):
    """And a model that can't be sampled has codes to look at in its place."""
    model = cases.shared(name)
    assert isinstance(model, GenerativeModel) == hasattr(model, "sample") == ("sample" in capabilities(model))
    assert hasattr(model, "sample") or isinstance(model, Autoencoding)
    assert not {"sample_mean", "log_prob", "elbo"} & set(capabilities(model)) or hasattr(model, "sample")


def test_every_weight_belongs_to_a_player_and_gets_a_gradient(name):
    model = cases.make(name)
    for weight in model.trainable_weights:  # zero-initialised last layers would hide those before them
        weight.assign_add(tf.random.stateless_normal(weight.shape, [1, 2], stddev=0.05))
    players = model.players()
    assert {id(w) for p in players for w in p.weights} == {id(w) for w in model.trainable_weights}
    for player in players:
        terms, gradients = losses_and_gradients(player, cases.batch(model, 8), random.seed(1))
        assert all(value.shape == (8,) and value.dtype == tf.float32 for value in terms.values())
        for weight, gradient in zip(player.weights, gradients, strict=True):
            assert gradient is not None and np.any(np.asarray(tf.convert_to_tensor(gradient)) != 0), weight.path


def test_the_loss_is_a_function_of_batch_and_seed(name):
    model = cases.shared(name)
    batch = cases.batch(model, 4)
    for player in model.players():
        one, same, other = (player.outcome(batch, random.seed(s))[0] for s in (1, 1, 2))
        for term in one:
            np.testing.assert_array_equal(one[term], same[term])
        noisy = "log_prob" not in capabilities(model) if hasattr(model, "sample") else isinstance(model, Denoising)
        if (noisy or isinstance(model, LowerBound)) and not hasattr(model, "codes"):  # codes are chosen, not drawn
            assert any(np.any(one[term] != other[term]) for term in one)


@pytest.mark.parametrize("trained_name", cases.slow_but(cases.TRAINED, "vae", "made", "gan"), indirect=True)
@pytest.mark.parametrize("optimizer", ["adam", pytest.param("one each", marks=pytest.mark.slow)])
def test_fit_shows_every_term_and_moves_every_weight(trained_name, optimizer):
    model = cases.make(trained_name)
    batches = tf.data.Dataset.from_tensor_slices(cases.batch(model, 16)).batch(8)
    players = model.players()
    if optimizer == "one each":
        optimizer = {player.name: keras.optimizers.SGD(1e-2) for player in players}
    model.compile(optimizer=optimizer, seed=5)
    before = model.get_weights()
    history = model.fit(batches, epochs=3, verbose=0).history
    expected = set()
    for player in players:
        prefix, terms = (
            f"{player.name}_" if len(players) > 1 else "",
            player.outcome(cases.batch(model, 2), random.seed(0))[0],
        )
        expected |= {f"{prefix}loss"} | {prefix + term for term in terms if len(terms) > 1}
        expected |= {prefix + measure for measure in (player.measures() if player.measures else ())}
    assert set(history) == expected  # and no `loss` of Keras's own, which would be 0 for a game of several players
    assert all(np.all(np.isfinite(values)) for values in history.values())
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights()))
    evaluated = model.evaluate(batches, verbose=0, return_dict=True)
    assert evaluated.keys() == history.keys() and evaluated == model.evaluate(batches, verbose=0, return_dict=True)


@pytest.mark.parametrize("trained_name", cases.slow_but(cases.TRAINED, "vae", "made", "gan"), indirect=True)
def test_fit_ends_with_the_averages_of_the_weights(trained_name):
    model = cases.make(trained_name)
    model.compile({player.name: keras.optimizers.SGD(1e-2, use_ema=True, ema_momentum=0.5)
                   for player in model.players()})
    model.fit(tf.data.Dataset.from_tensor_slices(cases.batch(model, 16)).batch(4), verbose=0)
    averages = model._fit.game.averages.of(model.weights)
    assert set(averages) == {id(weight) for player in model.players() for weight in player.weights}
    for weight in model.trainable_weights:
        np.testing.assert_array_equal(weight, averages[id(weight)])


def test_compile_refuses_optimizers_of_other_players(name):
    with pytest.raises(ValueError, match="each player"):
        cases.shared(name).compile(optimizer={"nobody": keras.optimizers.SGD()})


def test_sample_row_depends_on_its_own_seed_alone_and_stays_in_the_domain(sampled_name):
    model = cases.shared(sampled_name)
    condition = split_batch(cases.batch(model, 5))[1]
    given = [t for t in (random.rows(random.seed(7), 5), condition) if t is not None]
    # one graph for all sizes of a batch
    sample = tf.function(model.sample).get_concrete_function(*(tf.TensorSpec([None, *t.shape[1:]], t.dtype)
                                                               for t in given))
    together = np.asarray(sample(*given))
    assert together.shape == (5, *model.domain.shape) and together.dtype == model.domain.dtype.as_numpy_dtype
    close = (
        np.testing.assert_array_equal
        if model.domain.kind in ("binary", "levels")
        else lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5)
    )
    for index in ([4, 2, 0, 1, 3], [1, 3], [2]):
        close(np.asarray(sample(*(tf.gather(t, index) for t in given))), together[index])
    assert len({row.tobytes() for row in together}) > 1
    stays(model.domain, together)


def stays(domain, x):
    """Asserts that samples are what the domain says."""
    if domain.kind in ("binary", "levels"):
        assert set(np.unique(x)) <= set(range(domain.levels))
    elif domain.range:
        assert x.min() >= domain.range[0] and x.max() <= domain.range[1]
    assert np.all(np.isfinite(x))


@pytest.mark.parametrize("name", cases.slow_but(MODELS, *(name for name in MODELS if name not in HEAVY)))
def test_mixed_precision_keeps_losses_and_samples_in_32_bits(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = cases.make(name)
        batch = cases.batch(model, 4)
        for player in model.players():
            terms, gradients = losses_and_gradients(player, batch, random.seed(1))
            assert all(value.dtype == tf.float32 and np.all(np.isfinite(value)) for value in terms.values())
            assert all(w.dtype == "float32" for w in player.weights)
            assert all(np.all(np.isfinite(g)) for g in gradients)
        x = output(model)
        assert x.dtype == (model.domain.dtype if hasattr(model, "sample") else tf.float32)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name",
                         [name for name in MODELS if {"encode", "decode"} & set(capabilities(zoo.MODELS[name]))])
def test_codes_decode_to_the_shape_of_examples(name):
    model = cases.shared(name)
    assert isinstance(model, Autoencoding)  # both, or neither
    x, condition = split_batch(cases.batch(model, 3))
    z = model.encode(x, condition)
    assert z.shape[0] == 3 and z.dtype == tf.float32
    assert model.decode(z, condition).shape == x.shape


def kept(thing, seen=None):
    """Whatever hangs on a model: its attributes, those of its layers and of the zoo's own objects, and what their
    containers hold."""
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    yield thing
    if isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, (list, tuple, set)):
        parts = list(thing)
    elif isinstance(thing, keras.layers.Layer) or type(thing).__module__.startswith("zoo."):
        parts = list(getattr(thing, "__dict__", {}).values())
    else:
        parts = []
    for part in parts:
        yield from kept(part, seen)


FROZEN = (tfp.distributions.Distribution, tfp.bijectors.Bijector, keras.random.SeedGenerator)


def test_no_distribution_and_no_generator_is_kept(name):
    """A distribution made in a constructor holds its weights frozen; a generator's state is the same on every
    replica."""
    model = cases.shared(name)
    found = list(kept(model))
    assert not [thing for thing in found if isinstance(thing, FROZEN)]
    # the search reached every layer
    assert {id(layer) for layer in model._flatten_layers()} <= {id(thing) for thing in found}


def test_the_search_finds_what_is_kept():
    layer = keras.layers.Dense(1)
    layer.parts = [{"prior": tfp.distributions.Normal(0.0, 1.0)}, tfp.bijectors.Tanh(),
                   keras.layers.Dropout(0.5, seed=1)]
    model = keras.Sequential([keras.Input([1]), layer])
    assert sorted(type(thing).__name__ for thing in kept(model)
                  if isinstance(thing, FROZEN)) == ["Normal", "SeedGenerator", "Tanh"]


def test_create_names_the_nearest_right_argument(name):
    with pytest.raises(ValueError, match="has no argument 'shap'; did you mean 'shape'"):
        zoo.create(name, shap=(2,))


def test_create_names_the_nearest_right_model():
    with pytest.raises(ValueError, match="unknown model 'real_nvq'; did you mean 'real_nvp'"):
        zoo.create("real_nvq")


FLOWS = [name for name in MODELS if issubclass(zoo.MODELS[name], (ExactLikelihood,))
         and issubclass(zoo.MODELS[name], Autoencoding)]


@pytest.mark.parametrize("name", FLOWS)
def test_an_exact_density_with_codes_is_the_change_of_variables(name):
    """log p(x) = log p(z) + log|det dz/dx| of z = encode(x), by autodiff, with p(z) that of the prior; decode inverts
    encode."""
    model = cases.make(name)
    for weight in model.trainable_weights:
        weight.assign_add(tf.random.stateless_normal(weight.shape, [3, 4], stddev=0.1))
    x, condition, _ = model.domain.split(cases.batch(model, 3))
    z = model._encode(x, condition)
    np.testing.assert_allclose(model._decode(z, condition), x, atol=1e-4)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = tf.reshape(model._encode(x, condition), [3, -1])
    jacobian = tf.reshape(tape.batch_jacobian(z, x), [3, z.shape[1], -1])
    expected = model.prior().log_prob(z) + tf.linalg.slogdet(jacobian).log_abs_determinant
    np.testing.assert_allclose(model._log_prob(x, condition), expected, rtol=1e-4, atol=1e-3)


def test_some_models_are_flows():
    assert "real_nvp" in FLOWS


def test_what_layers_ask_to_follow_belongs_to_a_player(name):
    model = cases.shared(name)
    asked = {id(item.weight) for item in following.of(*model.layers)}
    assert asked <= {id(item.weight) for player in model.players() for item in following.followed(player.follows)}
