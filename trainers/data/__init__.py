"""Data sets, and the batches that a model's declared domain asks for.

A data set gives examples as they are stored; `domain.py` turns them into what the model reads (binary, levels, real,
tokens, waveform, strokes), and `pipeline.py` into batches. Batch number n of a run is a function of (seed, n) alone, so
that resuming and sharing work among workers are exact without any saved state.
"""

import dataclasses

from trainers.data.dataset import DataSet, unused
from trainers.data.domain import check, protocol
from trainers.data.pipeline import evaluation_batches, num_examples, training_batches
from trainers.errors import BadInput
from zoo import nearest

__all__ = ["DataSet", "EMBEDDED", "FILES", "check", "evaluation_batches", "num_examples", "open_dataset", "protocol",
           "training_batches"]

EMBEDDED = ("digits", "photo_patches", "toy2d/eight_gaussians", "toy2d/two_moons", "toy2d/checkerboard",
            "toy2d/spirals", "toy2d/pinwheel", "claw",
            "expressions", "pysource", "shapes", "shapes/colour", "shapes/outline", "sketches", "tones")
FILES = ("image_folder", "lines", "ndjson", "table", "text_file", "wav_folder")  # the user's own: KIND:PATH


def open_dataset(name, data_dir=None, data=None, log=print, tokenizer=None):
    """Opens `name`: one of `EMBEDDED`, a TFDS data set of images, text or sound (`mnist`, `name/config:version`), or
    one of `FILES` with its path.

    Args:
        name: of the data set.
        data_dir: TFDS's folder; a set that is prepared there is read, any other one is built or downloaded into it.
            None: TFDS's default.
        data: mapping with any of the entries of --config.data; what is missing has the default of
            `trainers.recipes.recipe.DATA`. Its `partner` names a second data set, opened with the same entries.
        log: called with a line of text where something takes time.
        tokenizer: that of the run that was trained on the text, in the place of one made from the training split.

    Returns:
        A `DataSet`.

    Raises:
        BadInput: for an unknown name, files that are missing or can't be read, or entries of `data` that don't fit the
            set or that it can't use.
    """
    options = _options(data or {})
    partner = options.pop("partner")
    dataset = _open(name, data_dir, options, log, tokenizer)
    if not partner:
        return dataset
    try:
        return dataclasses.replace(dataset, partner=_open(partner, data_dir, options, log, None))
    except BadInput as error:
        raise BadInput(str(error).replace("--dataset=", "--config.data.partner=")) from None


def _open(name, data_dir, options, log, tokenizer):
    from trainers.data import sizes  # late: TFDS comes with `stored` alone
    from trainers.data.readers import audio, folder, stored, strokes, table, text
    kind = name.partition(":")[0]
    if kind == "image_folder":
        unused(name, options, ("validation", "image_size"), "images")
        return folder.open_folder(name, sizes.parse(options["image_size"] or None), options["validation"], log)
    if kind == "wav_folder":
        return audio.open_wav_folder(name, options, log)
    if kind == "ndjson":
        return strokes.open_ndjson(name, options, log)
    if kind == "table":
        return table.open_table(name, options, log)
    if kind in ("text_file", "lines"):
        return (text.open_lines if kind == "lines" else text.open_text_file)(name, options, log, tokenizer)
    return stored.open_stored(name, data_dir, options, log, tokenizer)


def _options(data):
    """The entries of --config.data that concern a data set, with their defaults. Raises BadInput for a number of the
    wrong type or sign."""
    from trainers.recipes.recipe import DATA
    for key in data:
        if key not in DATA:
            raise BadInput(f"--config.data.{key} is unknown; {nearest(key, DATA)}")
    options = DATA | {key: data[key] for key in data}
    for key, what in (("validation", "examples"), ("vocabulary", "tokens"), ("length", "places"),
                      ("rate", "samples a second")):
        if type(options[key]) is not int or options[key] < 0:
            raise BadInput(f"--config.data.{key}={options[key]}: a number of {what}, 0 or more, is needed.")
    if not (isinstance(options["held_out"], float) and 0 < options["held_out"] < 0.5):
        raise BadInput(f"--config.data.held_out={options['held_out']}: a part between 0 and 0.5 is needed, which is "
                       "held out to test, and again for validation.")
    return options
