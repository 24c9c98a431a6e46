"""Data sets, and the batches that a model's declared domain asks for.

A data set gives examples as they are stored; `domain.py` turns them into what the model reads (binary, levels, real), and `pipeline.py` into
batches. Batch number n of a run is a function of (seed, n) alone, so that resuming and sharing work among workers are exact without any saved state.
"""

from trainers.data.dataset import DataSet
from trainers.data.domain import check, protocol
from trainers.data.pipeline import evaluation_batches, training_batches

__all__ = ["DataSet", "EMBEDDED", "check", "evaluation_batches", "open_dataset", "protocol", "training_batches"]

EMBEDDED = ("digits", "photo_patches", "toy2d/eight_gaussians", "toy2d/two_moons", "toy2d/checkerboard", "toy2d/spirals", "toy2d/pinwheel")


def open_dataset(name, data_dir=None, image_size=None, validation=0, log=print):
    """Opens `name`: one of `EMBEDDED`, an image data set of TFDS (`mnist`, `name/config:version`), or `image_folder:PATH`.

    Args:
        name: of the data set.
        data_dir: TFDS's folder; a set that is prepared there is read, any other one is built or downloaded into it. None: TFDS's default.
        image_size: side of a square, or (height, width), to which images are resized and centre-cropped. None: as they are stored.
        validation: number of training examples, the last ones, held out as the split `validation` of a set that has none.
        log: called with a line of text where something takes time.

    Returns:
        A `DataSet`.

    Raises:
        BadInput: for an unknown name, files that are missing or can't be read, or arguments that don't fit the set.
    """
    from trainers.data import folder, sizes, stored  # late: TFDS comes with `stored` alone
    size = sizes.parse(image_size)
    if isinstance(validation, bool) or not isinstance(validation, int) or validation < 0:
        raise sizes.BadInput(f"--config.data.validation={validation}: a number of examples, 0 or more, is needed.")
    if name.startswith("image_folder:"):
        return folder.open_folder(name, size, validation, log)
    return stored.open_stored(name, data_dir, size, validation, log)
