"""Keras's fit of a game: the step by hand and of the engine, batches, epochs, arrays, and averages."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import cases, games, standins
from tests.support.duels import SEED, batches, by_hand, close, compiled, engine, equal, stream
from tests.trainers import test_engine
from zoo import random
from zoo.training import adam, feeding


@pytest.mark.parametrize("updates", [1, 5])
def test_by_hand_by_the_engine_and_by_fit(updates):
    """Each of a player's moves has a batch and noise of its own, and fit's step is the engine's, bit for bit."""
    points = stream(4 * updates)
    one, model = engine(updates=updates), compiled(updates=updates)
    one.advance(iter(batches(points)), 4)
    history = model.fit(batches(points), verbose=0).history
    equal(one.model.get_weights(), model.get_weights())
    close(by_hand(games.Duel(updates), points), model.get_weights())
    assert int(one.optimizers["guess"].iterations) == 4 * updates and int(model.centred.seen.numpy()) == 4 * updates
    assert set(history) == {"guess_loss", "guess_distance", "guess_spread", "answer_loss"}


@pytest.mark.parametrize("updates", [1, 3])
def test_fit_on_two_replicas_is_the_engine_on_two(updates):
    points = stream(2 * updates)
    one, two = engine(replicas=2, updates=updates, pool=True), test_engine.strategy(2)
    one.advance(iter(batches(points)), 2)
    with two.scope():
        model = games.Duel(updates, pool=True)
        model.compile(keras.optimizers.SGD(0.1), seed=SEED)
    model.fit(batches(points), verbose=0)
    close(one.model.get_weights(), model.get_weights())
    for ours, theirs in zip(*(two.experimental_local_results(m.past.value) for m in (model, one.model))):
        np.testing.assert_array_equal(ours, theirs)


def test_fit_of_arrays_on_two_replicas():
    """Thirteen rows in batches of four: the one row that is left over, which has no second for the other replica,
    waits for another epoch's order.
    """
    with test_engine.strategy(2).scope():
        model = games.Duel()
        model.compile(keras.optimizers.SGD(0.1), seed=SEED)
    history = model.fit(games.points(13).numpy(), batch_size=4, epochs=2, verbose=0).history
    assert int(model.centred.seen.numpy()) == 6 and np.all(np.isfinite(history["guess_loss"]))
    with pytest.raises(ValueError, match="1 rows are too few for 2 replicas"):
        model.fit(games.points(1).numpy(), verbose=0)


def test_an_epoch_has_as_many_steps_as_it_has_batches_for_and_the_next_goes_on():
    points, seen = stream(12), []
    model = compiled(updates=5)
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model.fit(batches(points), epochs=2, verbose=0, callbacks=[count])
    assert seen == [0, 1, 0, 1]
    close(by_hand(games.Duel(5), tf.concat([points, points[:8]], 0)), model.get_weights())


@pytest.mark.parametrize("data, words", [(lambda: batches(stream(5)).filter(lambda x: True), "steps_per_epoch"),
                                         (lambda: iter([stream(1)[0]]), "needed, found")])
def test_batches_that_steps_of_several_cannot_be_cut_from(data, words):
    with pytest.raises(ValueError, match=words):
        compiled(updates=5).fit(data(), verbose=0)


def test_a_batch_alone_is_parted_among_the_moves():
    points = stream(5)
    model, twin = compiled(updates=5), compiled(updates=5)
    logs = model.train_on_batch(tf.reshape(points, [20, 2]).numpy(), return_dict=True)
    twin.fit(batches(points), verbose=0)
    equal(model.get_weights(), twin.get_weights())
    assert np.isfinite(logs["guess_loss"])
    assert np.isfinite(model.test_on_batch(points[0].numpy(), return_dict=True)["answer_loss"])
    with pytest.raises(ValueError, match="the batch of 12 examples has no 5 equal parts; 10 examples do"):
        model.train_on_batch(np.zeros([12, 2], np.float32))


def test_steps_that_run_ahead_are_the_same_steps():
    """Whoever listens to batches sees the weights of each; nobody does, and they are the same in the end, with the
    same things told of each step.
    """
    points, told, weights = stream(40), {True: [], False: []}, []
    models = {}
    for listening in (True, False):
        model = models[listening] = compiled()
        telling = model._fit.execution.__call__

        class Told(type(model._fit.execution)):
            def __call__(self, iterator):
                told[listening].append(telling(iterator))
                return told[listening][-1]

        model._fit.execution.__class__ = Told
        look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: weights.append(model.w.numpy()))
        model.fit(batches(points), epochs=2, verbose=0, callbacks=[look] if listening else None)
    assert told[True] == told[False] and len(told[True]) == 80
    equal(models[True].get_weights(), models[False].get_weights())
    assert len({w.tobytes() for w in weights}) == 80


def test_arrays_are_shuffled_by_seed_and_step_and_every_row_comes_once():
    x, seen = np.arange(20, dtype=np.float64).reshape(10, 2), []

    class Seeing(games.Duel):
        def answer(self, batch, seed):
            seen.append(batch)
            return super().answer(batch, seed)

    def orders(seed):
        model = Seeing()
        model.compile(keras.optimizers.SGD(0.0), seed=seed, run_eagerly=True)
        del seen[:]
        model.fit(x, batch_size=4, epochs=2, verbose=0)
        return [np.concatenate([b.numpy()[:, 0] for b in seen[start:start + 3]]) for start in (0, 3)]

    first, second = orders(1)
    assert [len(b) for b in seen] == [4, 4, 2] * 2 and seen[0].dtype == tf.float32
    assert sorted(first) == sorted(second) == sorted(x[:, 0]) and not np.array_equal(first, second)
    equal(orders(1), (first, second))
    assert not np.array_equal(orders(2)[0], first)


def test_the_last_part_of_arrays_is_held_out():
    model = compiled()
    x = games.points(20).numpy()
    history = model.fit(x, validation_split=0.25, verbose=0).history
    twin = compiled()
    twin.fit(x[:15], verbose=0)
    equal(model.get_weights(), twin.get_weights())
    told = twin.evaluate(x[15:], verbose=0, return_dict=True)
    assert history["val_guess_loss"][0] == pytest.approx(told["guess_loss"])


def test_fit_takes_images_as_they_are_loaded_and_refuses_what_the_model_does_not_declare():
    model = zoo.create("vae", shape=(4, 4, 1), levels=3, latent_size=2, hidden=(6,))
    x = np.random.default_rng(0).integers(0, 3, (20, 4, 4)).astype(np.uint8)
    model.compile()
    history = model.fit(x, validation_data=x[:5], verbose=0).history
    assert np.isfinite(history["val_loss"][0]) and np.isfinite(model.evaluate(x, verbose=0)[0])
    assert np.isfinite(model.train_on_batch(x)[0])
    for wrong, words in ((x[:, 1:], "found"), (x + 200, "found"), ((x, x), "a batch of")):
        with pytest.raises(ValueError, match=words):
            model.fit(wrong, verbose=0)


@pytest.mark.parametrize("case", list(standins.CASES))
def test_fit_takes_arrays_of_every_declaration(case):
    """Conditions go with their example, alone and by name; partners have an order of their own, and need not be as
    many.
    """
    cls, arguments = standins.CASES[case]
    model = cls(**arguments)
    domain = model.domain
    x, condition, partner = domain.split(tf.nest.map_structure(lambda t: t.numpy(), cases.batch(model, 12)))
    arrays = domain.join(x, condition, None if partner is None else partner[:7])
    batches = feeding.array_batches(domain, feeding.checked(domain, arrays), 5, True, random.seed(2)).take(6)
    met, partners = [], []
    for batch in batches:
        own, given, other = domain.split(batch)
        for row in range(len(own)):
            conditions = zip(tf.nest.flatten(condition), tf.nest.flatten(given))
            pairs = [(x, own), *((a, b) for a, b in conditions if a is not None)]
            left = [i for i in range(12) if i not in met[len(met) // 12 * 12:]]
            met.append(next(i for i in left if all(np.array_equal(a[i], b[row]) for a, b in pairs)))
            partners += [other[row].numpy().tobytes()] if partner is not None else []
    assert sorted(met[:12]) == sorted(met[12:]) == list(range(12)) and met[:12] != met[12:]
    assert partner is None or len(set(partners)) == len({row.tobytes() for row in partner[:7]})
    model.compile()
    history = model.fit(arrays, batch_size=5, validation_split=0.3, verbose=0).history
    assert all(np.all(np.isfinite(values)) for values in history.values())
    assert any(name.startswith("val_") for name in history)


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("stride", [None, 3])
def test_steps_an_execution_end_with_the_epoch(stride, listening):
    """Eighteen rows in batches of four: five steps an epoch, the last one on two rows, however many are taken in a
    call.
    """
    model, plain, called = games.Duel(), games.Duel(), []
    model.compile(keras.optimizers.SGD(0.1), seed=SEED, steps_per_execution=stride)
    plain.compile(keras.optimizers.SGD(0.1), seed=SEED, run_eagerly=True)
    look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: called.append(batch))
    x = games.points(18).numpy()
    model.fit(x, batch_size=4, epochs=3, verbose=0, callbacks=[look] if listening else [])
    plain.fit(x, batch_size=4, epochs=3, verbose=0)
    assert int(model.centred.seen.numpy()) == 15
    close(model.get_weights(), plain.get_weights())
    assert called == ([] if not listening else [2, 5] * 3 if stride else [0, 1, 2, 3, 4] * 3)


def test_fit_ends_with_averages_that_go_on_in_the_next_fit():
    own = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.2)
    model, plain, average = compiled(optimizer={"guess": own, "answer": keras.optimizers.SGD(0.1)}), compiled(), None
    assert own.use_ema  # the user's is as it was
    points = stream(3)
    for step, decay in enumerate((0.0, 2 / 11, 0.2)):
        plain.fit(batches(points[step:step + 1]), verbose=0)
        average = plain.w.numpy() if average is None else decay * average + (1 - decay) * plain.w.numpy()
    model.fit(batches(points), verbose=0)
    np.testing.assert_allclose(model.w.numpy(), average, atol=1e-6)
    moved = model._fit.game.averages.of([model.w])[id(model.w)].numpy()
    model.fit(batches(points), verbose=0)
    np.testing.assert_array_equal(model.w.numpy(), model._fit.game.averages.of([model.w])[id(model.w)].numpy())
    assert np.any(model.w.numpy() != moved)
    with pytest.raises(ValueError, match="ema_overwrite_frequency=3"):
        compiled(optimizer=keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=3))


def test_adam_by_name_and_by_keras_is_the_quick_one():
    given = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10), beta_1=0.5)
    made = adam.quicker(given)
    assert type(made) is adam.Adam and made.beta_1 == 0.5 and float(made.learning_rate) == pytest.approx(0.1)
    for other in (keras.optimizers.Adam(amsgrad=True), keras.optimizers.SGD()):
        assert type(adam.quicker(other)) is type(other)
    model = cases.make("vae")
    model.compile()
    assert type(model._fit.game.optimizers["model"]) is adam.Adam
