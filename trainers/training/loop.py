"""The training loop: batches to the engine, and in between checkpoints, validation, sample pictures and the end of the
run.

Batch n is a function of (seed, n) and so is the noise of step n: the step alone says where a run stands, and a resumed
run is the same run.
"""

import signal
import time

import tensorflow as tf

from trainers.errors import BadInput
from trainers.pictures import curves, files, images
from trainers.runs import checkpoints
from trainers.runs.run import put
from trainers.runs.selection import Selection
from trainers.runs.workdir import write
from trainers.training import fitting, previews, strategies
from trainers.training.reporting import Reporter
from zoo import random
from zoo.training.game import term_means

_SECONDS_PER_CALL = 0.5  # of several steps, so that a signal is heard
_STEPS_PER_CALL = 100
_WORKER_STEPS_PER_CALL = 10  # workers must take the same number, so no worker's clock decides
# steps in a row that skip an update: a run whose gradients stay that large would go on for ever without moving
_MOST_SKIPS = 100
_SAMPLE_SEED, _EVALUATION_SEED = -2, -3  # folded into the run's seed, apart from every step's


class Diverged(BadInput):
    """A loss or a weight that is not finite."""


class Loop:
    """Trains one run.

    Args:
        make_model: function that makes the model.
        plain: the same model outside the strategy, for pictures and validation.
        data: `trainers.training.inputs.Inputs`.
        config, seed, strategy, workdir: the run's.
        options: with `log_every, eval_every, sample_every, checkpoint_every` in steps (0: never) and `jit`.
    """

    def __init__(self, make_model, plain, data, config, seed, strategy, workdir, options):
        self.plain, self.data, self.config, self.workdir, self.options = plain, data, config, workdir, options
        self.engine = fitting.engine(plain, make_model, config, strategy, seed, options.jit)
        self.strategy, self.seed = strategy, random.seed(seed)
        self.worker, self.workers = strategies.workers(strategy)
        self.chief = self.worker == 0
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self.selection = Selection(config, plain.weights)
        self.log = print if self.chief else (lambda text: None)
        self.checkpoints = checkpoints.Checkpoints(
            workdir.checkpoints, self.engine.state() | self.selection.state() | {"seconds": [self.seconds]},
            self.worker, log=self.log)
        self._signal = None

    def train(self):
        """Trains to the last step; returns it, or the step at which a signal stopped the run (see `stopped_by`)."""
        self.checkpoints.sweep()
        step = self.checkpoints.restore() or 0
        self._same_everywhere(step)
        if step:
            self.log(f"resumed from the checkpoint of step {step}")
        total = self.config.steps
        if self.chief:
            self.workdir.truncate_metrics(step)
        self.reporter = Reporter(self.workdir, step, total, self.config.batch_size, self.options.log_every,
                                 quiet=not self.chief)
        self.log = self.reporter.log
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self._train(step, total)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self.reporter.close()
            self.checkpoints.close()
            if self.chief:
                self._plot_curves()

    def _plot_curves(self):
        picture = curves.picture(self.workdir.metrics)
        if picture is not None:
            write(self.workdir.samples / "curves.png", images.png(picture))

    @property
    def stopped_by(self):
        """The signal that stopped the run, or None."""
        return self._signal

    def weights(self):
        """Reads the run's weights as arrays: the selected ones, or the latest averages."""
        return self.selection.weights(self.engine.weights())

    def _train(self, step, total):
        if self.selection.over(step):
            return step
        iterator = iter(self.data.training(step * self.engine.moves, self.worker, self.workers))
        pace, began = None, time.monotonic()
        while step < total:
            num = self._steps_to_take(step, total, pace)
            called = time.monotonic()
            means, bad = self.engine.advance(iterator, num)
            if bad:
                raise Diverged(f"step {bad[0]}: {bad[1]} is not finite; {self._last_good()}")
            # the first call traces the graph
            pace = (time.monotonic() - called) / num if pace is not None or num > 1 else 0.0
            step += num
            self.reporter.add(step, means, self.engine.totals())
            if self.engine.skipped_in_a_row >= _MOST_SKIPS:
                raise Diverged(f"step {step}: {self.engine.skipped_in_a_row} updates in a row were skipped, since "
                               "their gradients are longer than --config.skip_norm="
                               f"{self.config.skip_norm:g} or not finite; {self._last_good()}")
            if self._due(step, self.options.eval_every) or self._due(step, self.selection.every):
                self._validate(step)
            stop, over = self._agreed_stop(), self.selection.over(step)
            if stop or over or step == total or self._due(step, self.options.checkpoint_every):
                self.seconds.assign_add(time.monotonic() - began)
                began = time.monotonic()
                self._save(step)
            if stop:
                self._signal = stop
                return step
            if self._due(step, self.options.sample_every) or (self.options.sample_every and (step == total or over)):
                self._draw(step)
            if over:
                self.log(f"step {step}: no improvement since step {self.selection.step}; its weights are the run's")
                return step
        return step

    def _steps_to_take(self, step, total, pace):
        """As many steps as fit the time of a call, up to the next event."""
        if self.workers > 1:
            num = _WORKER_STEPS_PER_CALL
        elif pace is None:
            num = 1
        else:
            num = min(_STEPS_PER_CALL, max(1, int(_SECONDS_PER_CALL / pace))) if pace else 2
        options = self.options
        events = [e for e in (options.log_every, options.eval_every, self.selection.every, options.sample_every,
                              options.checkpoint_every) if e]
        return min([num, total - step, self.engine.steps_left(step) or num] + [every - step % every
                                                                               for every in events])

    @staticmethod
    def _due(step, every):
        return bool(every) and step % every == 0

    def _stop(self, number, frame):
        self._signal = number

    def _agreed_stop(self):
        """Finds the signal that any worker received: all of them stop at the same step."""
        number = int(self._signal or 0)
        if self.workers == 1:
            return number
        return int(signal.SIGTERM) if self._sum(number) > 0 and not number else number

    def _same_everywhere(self, step):
        """Raises BadInput unless every worker restored the same step: they must share the folder."""
        if self.workers > 1 and abs(self._sum(step) - step * self.workers) > 0.5:
            raise BadInput(f"--workdir={self.workdir.path}: worker {self.worker} found the checkpoint of step {step} "
                           "and another worker a different "
                           "one; all workers need the same folder, on storage that they share.")

    def _sum(self, number):
        """Takes the sum of a number over the workers."""
        share = tf.constant(float(number) / self.engine.per_worker)
        summed = self.strategy.run(
            lambda: tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, share)
        )
        return float(self.strategy.experimental_local_results(summed)[0])

    def _save(self, step):
        if not self.engine.finite():
            raise Diverged(f"step {step}: a weight is not finite after the update; {self._last_good()}")
        self.checkpoints.save(step)

    def _last_good(self):
        last = max(checkpoints.find(self.workdir.checkpoints), default=None)
        if last is None:
            return "no checkpoint was written yet: lower --config.optimizer.learning_rate or set --config.clip_norm."
        return (f"the checkpoint of step {last} is good: resume with a lower --config.optimizer.learning_rate or with "
                "--config.clip_norm.")

    def _validate(self, step):
        """Computes the mean loss and terms of every player over the validation split, with the averaged weights; keeps
        the weights if they are the best so far."""
        loss = self._validation_loss(step) if self.chief else 0.0
        if self._due(step, self.selection.every):
            # The chief's loss decides for all workers.
            loss = self._sum(loss) if self.workers > 1 else loss
            if self.selection.improves(loss):
                self.selection.keep(loss, step, self.engine.weights())

    def _validation_loss(self, step):
        put(self.plain, self.engine.weights())
        players, sums, count = self.plain.players(), {}, 0
        if not hasattr(self, "_player_losses"):
            self._player_losses = [tf.function(player.outcome, reduce_retracing=True) for player in players]
        begun = [which for which, player in enumerate(players) if player.start <= step]
        for index, batch in enumerate(self.data.validation()):
            num = int(tf.nest.flatten(batch)[0].shape[0])
            for which in begun:
                player, loss = players[which], self._player_losses[which]
                terms, _ = loss(batch, random.fold_in(self.seed, _EVALUATION_SEED, index, which))
                for name, value in term_means(players, player, terms).items():
                    sums[name] = sums.get(name, 0.0) + float(value) * num
            count += num
        means = {name: value / count for name, value in sums.items()}
        self.reporter.scalars(step, means, split="validation")
        self.log(f"step {step}  validation  " + " ".join(f"{name} {value:.5g}" for name, value in means.items()))
        return next(iter(means.values()))

    def _draw(self, step):
        """Draws the same seeds, or examples, at every step, so that two pictures of a run compare."""
        if not self.chief:
            return
        put(self.plain, self.engine.weights())
        if not hasattr(self, "_look"):
            self._look = previews.of(self.plain, self.data)
        name, file = self._look(random.fold_in(self.seed, _SAMPLE_SEED))
        for ending in files.endings(self.plain.domain):
            shown = file(ending)
            write(self.workdir.samples / f"step-{step:08d}{ending}", shown)
            self.reporter.shown(step, name, ending, shown)
