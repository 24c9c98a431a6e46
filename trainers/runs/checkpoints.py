"""Checkpoints that survive a kill, and a fall back to the one before where the newest is damaged."""

import pathlib
import re
import shutil

import tensorflow as tf

from trainers.errors import BadInput

_NAME = "ckpt"
_VALUE = re.compile(r"(\w+)/(\d+)/\.ATTRIBUTES/VARIABLE_VALUE")


def find(folder):
    """Finds the checkpoints of a folder, {step: path prefix}, oldest first; read from the files, since the index file
    may be damaged too.
    """
    found = {}
    for path in pathlib.Path(folder).glob(f"{_NAME}-*.index"):
        match = re.fullmatch(rf"{_NAME}-(\d+)", path.stem)
        if match:
            found[int(match[1])] = str(path.with_suffix(""))
    return dict(sorted(found.items()))


def damage(prefix):
    """Says what is wrong with a checkpoint, or None; reads every tensor, and so every checksum."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:  # IndexError: a data file cut short
        return str(error).splitlines()[0]
    return None


def newest(folder, log):
    """Finds (step, path prefix) of the newest checkpoint that is whole, None where there is none. Raises BadInput where
    all are damaged.
    """
    found = find(folder)
    for step, prefix in reversed(found.items()):
        wrong = damage(prefix)
        if not wrong:
            return step, prefix
        log(f"checkpoint of step {step} is damaged ({wrong}); falling back to the one before")
    if found:
        raise BadInput(f"{folder}: all {len(found)} checkpoints are damaged; start again in another folder.")
    return None


def read(folder, log=print):
    """Reads (step, {name: arrays of a state's part, in their order}) of the newest checkpoint that is whole, of any
    version; None where there is none.

    Raises BadInput where all are damaged.
    """
    found = newest(folder, log)
    if not found:
        return None
    step, prefix = found
    reader, parts = tf.train.load_checkpoint(prefix), {}
    for name in reader.get_variable_to_shape_map():
        match = _VALUE.fullmatch(name)
        if match:
            parts.setdefault(match[1], {})[int(match[2])] = reader.get_tensor(name)
    return step, {name: [part[index] for index in sorted(part)] for name, part in parts.items()}


class Checkpoints:
    """Saves and restores a training state.

    Args:
        folder: the chief's folder, from which every worker restores.
        state: {name: list of tf.Variable}.
        worker: index of this worker; all but the chief (0) write to a folder that is thrown away, since saving is
            collective.
        keep: how many checkpoints to keep.
    """

    def __init__(self, folder, state, worker=0, keep=3, log=print):
        self._folder, self._log = folder, log
        self._throw_away = pathlib.Path(folder) / f".worker-{worker}" if worker else None
        self._checkpoint = tf.train.Checkpoint(**state)
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(self._throw_away or folder), keep,
                                                   checkpoint_name=_NAME)

    def sweep(self):
        """Removes what a killed trainer left: for the trainer that holds the folder, since a reader would take a save
        from under it.
        """
        if self._throw_away:
            shutil.rmtree(self._throw_away, ignore_errors=True)
        else:
            for part in pathlib.Path(self._folder).glob(f"{_NAME}-*_temp"):
                shutil.rmtree(part, ignore_errors=True)
            for part in pathlib.Path(self._folder).glob("checkpoint.tmp*"):
                part.unlink(missing_ok=True)

    def save(self, step):
        """Writes the state as the checkpoint of `step`. Raises BadInput when the disk refuses; the one before stays
        good.
        """
        try:
            self._manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            raise BadInput(f"{self._folder}: the checkpoint of step {step} cannot be written: "
                           f"{str(error).splitlines()[0]}.") from error

    def restore(self):
        """Restores the newest checkpoint that is whole; returns its step, or None where there is none."""
        found = newest(self._folder, self._log)
        if not found:
            return None
        step, prefix = found
        try:
            self._checkpoint.restore(prefix).assert_consumed()
        except (AssertionError, ValueError) as error:
            raise BadInput(f"{prefix}: is not a checkpoint of this model: {str(error).splitlines()[0]}.") from error
        return step

    def close(self):
        if self._throw_away:
            shutil.rmtree(self._throw_away, ignore_errors=True)
