"""Data sets, and the batches that a model's declared domain asks for.

A data set gives examples as they are stored; `domain.py` turns them into what the model reads (binary, levels, real,
tokens, waveform, strokes), and `pipeline.py` into batches. Batch number n of a run is a function of (seed, n) alone, so
that resuming and sharing work among workers are exact without any saved state.
"""

import dataclasses
import importlib

from trainers.data import options
from trainers.data.dataset import DataSet
from trainers.data.domain import check, protocol
from trainers.data.names import EMBEDDED, FILES
from trainers.data.pipeline import evaluation_batches, num_examples, training_batches
from trainers.errors import BadInput

__all__ = ["DataSet", "EMBEDDED", "FILES", "check", "evaluation_batches", "num_examples", "open_dataset", "protocol",
           "training_batches"]


def open_dataset(name, data_dir=None, data=None, log=print, tokenizer=None):
    """Opens `name`: one of `EMBEDDED`, a TFDS data set of images, text or sound (`mnist`, `name/config:version`), or
    one of `FILES` with its path.

    Args:
        name: of the data set.
        data_dir: TFDS's folder; a set that is prepared there is read, any other one is built or downloaded into it.
            None: TFDS's default.
        data: mapping with any of the entries of --config.data; what is missing has the default that
            `trainers.data.options` declares. Its `partner` names a second data set, opened with the same entries.
        log: called with a line of text where something takes time.
        tokenizer: that of the run that was trained on the text, in the place of one made from the training split.

    Returns:
        A `DataSet`.

    Raises:
        BadInput: for an unknown name, files that are missing or can't be read, or entries of `data` that don't fit the
            set or that it can't use.
    """
    entries = dict(data or {})
    options.check(entries)  # before anything is downloaded
    dataset = _open(name, data_dir, entries, log, tokenizer)
    partner = entries.pop("partner", "")
    if not partner:
        return dataset
    try:
        return dataclasses.replace(dataset, partner=_open(partner, data_dir, entries, log, None))
    except BadInput as error:
        raise BadInput(str(error).replace("--dataset=", "--config.data.partner=")) from None


def _open(name, data_dir, entries, log, tokenizer):
    """Opens one data set by the reader of its kind."""
    kind = name.partition(":")[0]
    module, function = FILES.get(kind, ("stored", "open_stored"))
    # The one late import: TFDS, and what else a reader needs, come with the data sets that are read by it.
    read = getattr(importlib.import_module(f"trainers.data.readers.{module}"), function)
    if kind not in FILES:
        return read(name, data_dir, entries, log, tokenizer)
    if module == "text":
        return read(name, entries, log, tokenizer)
    return read(name, entries, log)
