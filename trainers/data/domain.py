"""Whether a model can be given a data set, and what a record says of how it was: binarization, partners and groups."""

from trainers.data import conditions, groups, options
from trainers.data.encoding import encoding_of
from trainers.errors import BadInput


def binarization(dataset, domain, data_config):
    """Returns `stored`, `dynamic` or `threshold`; None if the model reads no binary images. Raises BadInput for what
    does not fit."""
    asked = data_config.get("binarization", "auto")
    options.check({"binarization": asked})
    if domain.kind != "binary":
        if asked != "auto":
            raise BadInput(f"--config.data.binarization={asked}: the model reads {_reads(domain)}, which nothing "
                           "binarizes; leave it 'auto'.")
        return None
    if dataset.levels == 2:
        if asked in ("dynamic", "threshold"):
            raise BadInput(f"--config.data.binarization={asked}: --dataset={dataset.name} is stored binary; allowed "
                           "are 'auto' and 'stored'.")
        return "stored"
    if asked == "stored":
        raise BadInput(f"--config.data.binarization=stored: --dataset={dataset.name} has {dataset.levels} levels a "
                       "pixel; "
                       "allowed are 'dynamic' and 'threshold'.")
    return "dynamic" if asked == "auto" else asked


def _reads(domain):
    things = "images" if len(domain.shape) == 3 else "rows"
    what = {"binary": f"binary {things}", "levels": f"{things} of {domain.levels} levels",
            "tokens": f"tokens of a vocabulary of {domain.levels}",
            "waveform": "waveforms", "strokes": "strokes"}
    return what.get(domain.kind) or ("real images" if domain.range else "real points")


def _has(dataset):
    if dataset.kind == "points":
        return "binary rows" if dataset.levels else "real points"
    return {"image": "images", "text": "text", "audio": "sound", "strokes": "strokes"}[dataset.kind]


def _choose(dataset, domain):
    """Returns what to choose in the place of a data set of another kind than the model reads; None where it reads the
    data set's."""
    image, points = dataset.kind == "image", dataset.kind == "points"
    fits, advice = {
        "binary": (image or (points and dataset.levels), "choose a data set of images, or a binary table."),
        "levels": (image or (points and dataset.levels), "choose a data set of images."),
        "real": (image, "choose a data set of images.") if domain.range else
                (points and not dataset.levels, "choose a data set of points, for example toy2d/eight_gaussians."),
        "tokens": (dataset.kind == "text", "choose a text, for example pysource."),
        "strokes": (dataset.kind == "strokes", "choose drawings, for example sketches, or ndjson:PATH."),
        "waveform": (dataset.kind == "audio", "choose a data set of sound, for example tones."),
    }[domain.kind]
    return None if fits else advice


def _reshaping(dataset, domain):
    """Advises how a data set's examples get the model's shape."""
    if dataset.kind == "image" and len(domain.shape) == 3:
        height, width, channels = domain.shape
        if height == width and channels == dataset.shape[-1] and dataset.levels == 256:
            return f"set --config.data.image_size={height}."
    sequence = dataset.kind in ("text", "audio") and len(domain.shape) == 1
    if sequence or dataset.name.startswith("ndjson:"):
        return f"set --config.data.length={domain.shape[0]}."
    return "train a model on this data set, or choose one of the model's shape."


def check(dataset, domain, data_config):
    """Raises BadInput if a model of this domain can't be given this data set."""
    advice = _choose(dataset, domain)
    if advice:
        raise BadInput(f"--dataset={dataset.name} has {_has(dataset)} of shape {dataset.shape}, the model reads "
                       f"{_reads(domain)} of shape {tuple(domain.shape)}; "
                       + advice)
    if tuple(domain.shape) != tuple(dataset.shape):
        raise BadInput(f"--dataset={dataset.name} has examples of shape {dataset.shape}, the model takes "
                       f"{tuple(domain.shape)}; {_reshaping(dataset, domain)}")
    if domain.kind == "tokens" and domain.levels != dataset.levels:
        raise BadInput(f"--dataset={dataset.name} has a vocabulary of {dataset.levels} tokens, the model has "
                       f"{domain.levels}; "
                       f"set --config.model.levels={dataset.levels}.")
    if domain.kind == "levels" and domain.levels > dataset.levels:
        raise BadInput(f"--dataset={dataset.name} has {dataset.levels} levels, the model has {domain.levels}; "
                       f"set --config.model.levels={dataset.levels}, or less.")
    if domain.dequantized and domain.levels != dataset.levels:
        raise BadInput(f"--dataset={dataset.name} has {dataset.levels} levels, the model dequantizes {domain.levels}; "
                       f"set --config.model.levels={dataset.levels}.")
    conditions.readings(dataset, domain)
    _check_group(dataset, domain)
    _check_partner(dataset, domain, data_config)
    binarization(dataset, domain, data_config)


def protocol(dataset, domain, data_config):
    """Returns what a record of a result says about its data."""
    mode = binarization(dataset, domain, data_config)
    levels = domain.levels if domain.kind == "levels" else dataset.levels
    return dict(dataset=dataset.name, version=dataset.version, shape=list(dataset.shape), binarization=mode,
                levels=2 if mode else levels,
                dequantization="uniform" if domain.kind == "real" and domain.dequantized and dataset.levels else None,
                range=list(domain.range) if domain.range else None,
                held_out={split: size for split, size in dataset.sizes.items() if split != "train"},
                **({"rate": dataset.rate} if dataset.rate else {}), **dataset.facts, **_beside(dataset, domain))


def _beside(dataset, domain):
    """Returns what a record says of what goes with the examples, where something does."""
    said = {}
    if domain.conditional:
        found = conditions.readings(dataset, domain)
        named = isinstance(found, dict)
        said["condition"] = {name: reading.field for name, reading in found.items()} if named else found.field
    if domain.group:
        fewer = groups.fewer(dataset.decoded("train", ["label"])["label"], domain.group)
        said["group"] = dict(size=domain.group, labels_with_fewer=fewer)
    if domain.partner:
        said["partner"] = protocol(dataset.partner, domain.partner, {})
    return said


def encoding(dataset, domain, data_config):
    """Returns how stored examples of `dataset` become those of `domain`, an `Encoding`."""
    return encoding_of(dataset.fields["x"], domain, binarization(dataset, domain, data_config))


def config_of_partner(domain, data_config):
    """Returns the entries of --config.data by which the partner's examples are read: how images are binarized, where
    its own are."""
    binary = domain.partner.kind == "binary" and "binarization" in data_config
    return {"binarization": data_config["binarization"]} if binary else {}


def _check_group(dataset, domain):
    if domain.group and not dataset.classes:
        raise BadInput(f"--dataset={dataset.name} has no labels, the model reads groups of {domain.group} examples of "
                       "one label; choose a data set that has.")


def _check_partner(dataset, domain, data_config):
    """Raises BadInput if the model needs a second data set and there is none, or another one, or it has no use for
    one."""
    if domain.partner is None:
        if data_config.get("partner"):
            raise BadInput(f"--config.data.partner={data_config['partner']}: the model reads one set of examples; "
                           "leave it out.")
        return
    if dataset.partner is None:
        raise BadInput(f"--dataset={dataset.name} has one set of examples, the model reads two that are unpaired; "
                       "set --config.data.partner, for example --dataset=shapes/colour "
                       "--config.data.partner=shapes/outline.")
    try:
        check(dataset.partner, domain.partner, config_of_partner(domain, data_config))
    except BadInput as error:
        raise BadInput(str(error).replace("--dataset=", "--config.data.partner=")) from None
