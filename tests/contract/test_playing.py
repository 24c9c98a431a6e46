"""A step of the engine: schedules, averages, multipliers, sparse gradients, and batches in parts."""

import numpy as np
import pytest

from tests.support import cases, games
from tests.support.duels import Averaged, Lookup, Slowed, Staged, Steady, batches, close, engine, equal, stream
from tests.trainers import test_engine
from tests.trainers.test_train import TINY, run
from trainers.runs import checkpoints
from trainers.training import optimizers
from zoo.training.game import check_accumulation


@pytest.mark.parametrize("steps", [2, 4])
def test_a_schedule_spans_a_players_own_moves(steps):
    settings = test_engine.config(learning_rate=0.1, steps=4)
    settings.schedule.name = "cosine"
    one = engine(settings=settings, updates=5)
    one.advance(iter(batches(stream(20))), steps)
    rates = {name: float(optimizer.learning_rate) for name, optimizer in one.optimizers.items()}
    np.testing.assert_allclose([rates["guess"], rates["answer"]], [0.05, 0.05] if steps == 2 else [0.0, 0.0], atol=1e-7)


def test_what_a_schedule_says_in_steps_is_of_the_run():
    def rate(schedule, move):
        entries = dict(warmup_steps=0, end=0.0, decay=1.0) | schedule
        return float(optimizers.make_schedule(1.0, entries, 100, updates=5)(move))

    assert rate(dict(name="constant", warmup_steps=10), 24) == pytest.approx(0.5)
    assert rate(dict(name="exponential", decay=0.9), 50) == pytest.approx(0.9**10, rel=1e-5)
    assert rate(dict(name="linear"), 250) == pytest.approx(0.5) and rate(dict(name="staged"), 499) == pytest.approx(0.1)


@pytest.mark.parametrize("make", [Staged, Averaged])
def test_averages_go_on_over_stages_and_are_put_into_weights_where_a_player_says_so(make):
    points, average = stream(6), None
    one = engine(make, settings=test_engine.config(learning_rate=0.1, ema=0.2))
    iterator = iter(batches(points))
    for step, decay in enumerate((0.0, 2 / 11, 0.2, 0.2, 0.2, 0.2)):
        before = one.model.w.numpy()
        one.advance(iterator, 1)
        last = average
        if step == 2 and make.averaged:  # what the average was made of is no longer in the weight
            average = one.model.w.numpy()
            assert np.any(average != last)
        else:
            average = one.model.w.numpy() if last is None else decay * last + (1 - decay) * one.model.w.numpy()
        np.testing.assert_allclose(one.weights()[0], average, atol=1e-6)
        assert np.any(before != one.model.w.numpy())
    assert np.any(one.weights()[0] != one.model.w.numpy())
    assert {name: int(optimizer.iterations) for name, optimizer in one.optimizers.items()} == {"early": 3, "late": 3}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("optimizer, decay", [("adam", 0.0), ("adamw", 0.5), ("sgd", 0.0)])
def test_a_multiplier_is_of_the_way_that_an_update_takes(optimizer, decay, replicas):
    moved = {}
    for make in (games.Duel, Slowed):
        settings = test_engine.config(learning_rate=0.1)
        settings.optimizer.weight_decay, settings.optimizer.decay_all = decay, True
        one = engine(make, replicas, settings, optimizer)
        one.model.v.assign([0.5, -1.0])
        one.advance(iter(batches(stream(1))), 1)
        moved[make] = one.model.v.numpy() - [0.5, -1.0], one.model.w.numpy()
    assert np.all(np.abs(moved[games.Duel][0]) > 1e-2)
    np.testing.assert_allclose(moved[Slowed][0], 0.01 * moved[games.Duel][0], rtol=1e-3)
    np.testing.assert_array_equal(moved[Slowed][1], moved[games.Duel][1])


@pytest.mark.parametrize("settings", [dict(clip_norm=0.5), dict(skip_norm=100.0), dict()])
def test_the_gradient_of_a_table_is_clipped_and_summed_as_any_other(settings):
    moved = []
    for replicas in (1, 2):
        one = engine(Lookup, replicas, test_engine.config(learning_rate=0.1, **settings))
        one.advance(iter(batches(stream(2))), 2)
        moved.append(one.model.w.numpy())
    assert np.all(moved[0] != 1.0)
    close(*moved)


@pytest.mark.parametrize("make, replicas, skip", [(Steady, 1, 0.0), (Steady, 2, 0.0), (Steady, 1, 1e6)])
def test_a_batch_in_parts_is_the_batch(make, replicas, skip):
    """What follows is the mean of the parts' values, here as linear as the loss's gradients are."""
    points, ends, told = stream(3, size=8), [], []
    for accumulation in (1, 4):
        settings = test_engine.config(learning_rate=0.1, accumulation=accumulation, skip_norm=skip)
        one = engine(make, replicas, settings, "adam")
        told.append(one.advance(iter(batches(points)), 3)[0])
        ends.append(one.model.get_weights())
    close(*ends)
    np.testing.assert_allclose(*(list(means.values()) for means in told), rtol=1e-5)


@pytest.mark.parametrize("jit", cases.slow_but([False, True], False))
def test_parts_of_a_model_of_the_zoo(jit):
    ends = []
    for accumulation in (1, 2):
        settings = test_engine.config(accumulation=accumulation)
        one = test_engine.engine("real_nvp", settings=settings, jit=jit)  # no noise in its loss
        one.advance(test_engine.batches(one.model), 2)
        ends.append(one.model.get_weights())
    for a, b in zip(*ends):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("accumulation, code", [(2, 0), (3, 2)])
def test_accumulation_is_an_entry_of_a_recipe(tmp_path, capfd, accumulation, code):
    assert run(tmp_path / "run", *TINY, "--steps=2", f"--config.accumulation={accumulation}") == code
    told = capfd.readouterr()
    assert f"--config.accumulation={accumulation}" in (told.err if code else told.out)
    assert not code or ("does not divide the" in told.err and not (tmp_path / "run").exists())


def test_what_follows_must_have_a_mean_for_parts():
    with pytest.raises(ValueError, match="'guess' follows .*seen, whose values have no mean"):
        check_accumulation(games.Duel().players())
    check_accumulation(Steady().players())


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_resumed_run_has_all_that_moves(tmp_path, replicas):
    """Averages, what follows, and what each replica has for itself, bit for bit."""
    def make():
        settings = test_engine.config(learning_rate=0.1, ema=0.9)
        return engine(replicas=replicas, settings=settings, optimizer="adam", pool=True, updates=2)

    def states(one):
        own = [part.numpy() for part in one.strategy.experimental_local_results(one.model.past.value)]
        return [*own, *(v.numpy() for part in one.state().values() for v in part)]

    points, straight, first, second = stream(8), make(), make(), make()
    straight.advance(iter(batches(points)), 4)
    first.advance(iter(batches(points)), 2)
    checkpoints.Checkpoints(tmp_path, first.state()).save(2)
    assert checkpoints.Checkpoints(tmp_path, second.state()).restore() == 2
    second.advance(iter(batches(points[4:])), 2)
    equal(states(straight), states(second))
    assert replicas == 1 or np.any(states(second)[0] != states(second)[1])
