"""What a run tells while it trains: metrics.jsonl, TensorBoard, and a progress bar, or plain lines where the output is
no terminal."""

import json
import sys
import time

import tensorflow as tf
import tqdm

_SHOWN = 8  # terms in a line; of more, those of single layers are in the file alone


class Reporter:
    """Takes means over a few steps at a time and reports them.

    Args:
        workdir: the run's `Workdir`.
        start, total: steps done, and steps of the run.
        examples: in one step, for the rate.
        every: steps between two reports.
        quiet: of a worker that is not the chief: reports nothing.
    """

    def __init__(self, workdir, start, total, examples, every, quiet=False):
        self._quiet, self._every, self._examples, self._total, self._step = quiet, every, examples, total, start
        self._sums, self._counts, self._totals, self._since, self._last = {}, {}, {}, time.monotonic(), start
        if quiet:
            return
        self._file = open(workdir.metrics, "a")
        self._writer = tf.summary.create_file_writer(str(workdir.tensorboard))
        self._bar = (
            tqdm.tqdm(total=total, initial=start, unit="step", dynamic_ncols=True) if sys.stderr.isatty() else None
        )

    def log(self, text):
        """Prints a line, above the bar where there is one."""
        if not self._quiet:
            tqdm.tqdm.write(text) if self._bar else print(text, flush=True)

    def add(self, step, means, totals=()):
        """Adds the means of the steps since the last call, up to `step`, and what was counted from the first step
        on."""
        num, self._step, self._totals = step - self._step, step, dict(totals)
        for name, value in means.items():  # a player that begins late or stops early has its own steps
            self._sums[name] = self._sums.get(name, 0.0) + value * num
            self._counts[name] = self._counts.get(name, 0) + num
        if self._quiet:
            return
        if self._bar:
            self._bar.update(num)
        if step % self._every == 0 or step == self._total:
            self._report(step)

    def _report(self, step):
        now = time.monotonic()
        rate = (step - self._last) / max(now - self._since, 1e-9)
        means = {name: value / self._counts[name] for name, value in self._sums.items()} | self._totals
        self.scalars(step, means | {"examples_per_second": rate * self._examples})
        few = [name for name in means if not name.startswith("kl_")] if len(means) > _SHOWN else means
        shown = " ".join(f"{name} {means[name]:.4g}" for name in few)
        if self._bar:
            self._bar.set_postfix_str(shown)
        else:
            left = (self._total - step) / rate
            self.log(f"step {step}/{self._total}  {shown}  {rate * self._examples:.0f} examples/s  "
                     f"{left / 60:.0f}:{left % 60:02.0f} left")
        self._sums, self._counts, self._since, self._last = {}, {}, now, step

    def scalars(self, step, values, split="train"):
        """Writes scalars to metrics.jsonl and TensorBoard."""
        if self._quiet:
            return
        self._file.write(json.dumps({"step": step, "split": split, **values}) + "\n")
        self._file.flush()
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(f"{split}/{name}", value)

    def shown(self, step, name, ending, data):
        """Writes the bytes of a file of samples to TensorBoard: a picture, a text or a sound; it has no place for
        others."""
        if self._quiet:
            return
        with self._writer.as_default(step):
            if ending == ".png":
                tf.summary.image(name, tf.io.decode_png(data)[None])
            elif ending == ".txt":
                tf.summary.text(name, "```\n" + data.decode() + "\n```")
            elif ending == ".wav":
                sound, rate = tf.audio.decode_wav(data)
                tf.summary.audio(name, sound[None], int(rate))

    def close(self):
        if not self._quiet:
            self._file.close()
            self._writer.close()
            if self._bar:
                self._bar.close()
