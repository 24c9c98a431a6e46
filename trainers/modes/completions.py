"""What a model draws where test examples are hidden: `zoo-sample --mode=complete`."""

import numpy as np
import tensorflow as tf

from trainers.data import masks
from trainers.errors import BadInput
from trainers.modes import conditions
from trainers.modes.mode import shown
from trainers.pictures import images, strokes
from trainers.runs.drawing import map_rows
from trainers.runs.examples import first_examples
from zoo import nearest, random
from zoo.domain import repeat_rows

_COMPLETIONS = 6  # of an example


def complete(run, num, options, controls):
    """Draws completions of test examples of which a part is given, and the examples, [num, completions + 1, *shape]."""
    domain = run.model.domain
    name = _mask(options, domain)
    x, condition = first_examples(run, num, options.seed, options.data_dir)
    mask = masks.of(name, domain, x)
    function = tf.function(lambda x, mask, seeds, c: run.model.complete(x, mask, seeds, c, **controls),
                           reduce_retracing=True)
    if options.condition:
        condition = conditions.asked(run, num, options)
    x_, mask_, condition_ = repeat_rows((x, mask, condition), _COMPLETIONS)
    drawn = map_rows(function, x_, mask_, random.rows(random.seed(options.seed), num * _COMPLETIONS), condition_)
    drawn = np.concatenate([drawn.reshape(num, _COMPLETIONS, *drawn.shape[1:]), x.numpy()[:, None]], axis=1)
    if domain.kind == "strokes":
        return drawn, lambda ending: strokes.completions(drawn, mask, ending)
    if images.is_image(domain):
        return drawn, lambda ending: _picture(drawn, mask, domain)
    return drawn, shown(drawn.reshape(-1, *drawn.shape[2:]), run)


def _mask(options, domain):
    """Finds the name of the mask. Raises BadInput, with the nearest right one, where the domain has no such."""
    known = masks.names(domain.places, domain.kind)
    name = options.mask or known[0]
    if name not in known:
        raise BadInput(f"--mask={name}: examples of shape {tuple(domain.shape)} have other masks; "
                       f"{nearest(name, known)}")
    return name


def _picture(drawn, mask, domain):
    """Makes the picture of completions of images: each in a line, what was given before them, the truth last."""
    cells = images.to_uint8(drawn, domain)
    given = np.where(mask[..., None], cells[:, -1], images.SEPARATOR).astype(np.uint8)
    cells = np.concatenate([given[:, None], cells], axis=1)
    return images.png(images.grid(cells.reshape(-1, *cells.shape[2:]), columns=cells.shape[1]))
