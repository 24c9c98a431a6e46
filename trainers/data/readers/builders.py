"""Builders of TFDS: those of the embedded sets, which need no network, and those that are prepared or downloaded.

A set that is prepared in the data folder is read from there and nothing is fetched. Embedded sets are built in a second
or two into the data folder, TFDS's default one, or a temporary one, whichever can be written first.
"""

import contextlib
import importlib
import os
import pathlib
import shutil
import tempfile
import time

import requests
import tensorflow_datasets as tfds
from absl import logging

from trainers.data.names import EMBEDDED, FILES
from trainers.errors import BadInput
from zoo.checks import nearest

# module of trainers.data.embedded -> class
BUILDERS = {"claw": "Claw", "digits": "Digits", "expressions": "Expressions", "photo_patches": "PhotoPatches",
            "pysource": "Pysource", "shapes": "Shapes",
            "sketches": "Sketches", "tones": "Tones", "toy2d": "Toy2d"}
HOST = "https://storage.googleapis.com"


def find(name, data_dir, log):
    """Finds (builder, full name) of a data set, built or downloaded where it is not there yet. Raises BadInput."""
    return (_embedded if name.partition("/")[0] in BUILDERS else _tfds)(name, data_dir, log)


def _embedded(name, data_dir, log):
    """Finds (builder, full name) of an embedded set, built where it is not there yet."""
    name = "toy2d/eight_gaussians" if name == "toy2d" else name
    if name not in EMBEDDED:
        raise BadInput(f"--dataset={name} is unknown; {nearest(name, EMBEDDED)}")
    module, _, config = name.partition("/")
    cls = getattr(importlib.import_module(f"trainers.data.embedded.{module}"), BUILDERS[module])
    path = pathlib.Path(name, str(cls.VERSION))
    folders = [pathlib.Path(folder).expanduser() for folder in (data_dir, tfds.core.constants.get_default_data_dir())
               if folder]
    folders.append(pathlib.Path(tempfile.gettempdir(), f"generative-zoo-{os.getuid()}"))
    failures = []
    for folder in folders:
        if (folder / path / "dataset_info.json").exists():
            return tfds.builder_from_directory(folder / path), name
        if not _writable(folder):
            failures.append(f"{folder} (read-only)")
            continue
        try:
            log(f"Building {name} in {folder}.")
            _build(cls, config or None, folder, path)
            return tfds.builder_from_directory(folder / path), name
        except OSError as error:
            failures.append(f"{folder} ({error.strerror})")
    raise BadInput(f"--dataset={name} has to be built, and can be written nowhere: {', '.join(failures)}; set "
                   "--data_dir to a folder with some room.")


def _writable(folder):
    """Tells whether the folder, or the nearest one above it that exists, is open to writing: root is not to write into
    what is marked read-only."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def _build(cls, config, folder, path):
    """Builds beside and renames, so that a build that is killed leaves nothing that looks whole and of two at once
    either wins."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".building-*"):
        if time.time() - stale.stat().st_mtime > 3600:
            shutil.rmtree(stale, ignore_errors=True)
    beside = tempfile.mkdtemp(prefix=".building-", dir=folder)
    try:
        tfds.disable_progress_bar()
        known = config in cls.builder_configs  # of a set that is also there without a configuration TFDS knows none
        arguments = {}
        if config:
            arguments["config"] = config if known else tfds.core.BuilderConfig(name=config)
        with contextlib.redirect_stdout(None), _only_errors():
            cls(data_dir=beside, **arguments).download_and_prepare()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(pathlib.Path(beside) / path, folder / path)
        except OSError:
            if not (folder / path / "dataset_info.json").exists():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        tfds.enable_progress_bar()


@contextlib.contextmanager
def _only_errors():
    """Silences TFDS's warning that a configuration is not one of its class's own."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _tfds(name, data_dir, log):
    """Finds (builder, name) of a TFDS set: as prepared in the data folder, else downloaded."""
    folder = pathlib.Path(data_dir or tfds.core.constants.get_default_data_dir()).expanduser()
    try:
        parsed, arguments = tfds.core.naming.parse_builder_name_kwargs(name)
    except (ValueError, AssertionError) as error:
        raise BadInput(f"--dataset={name} is no name of a data set (NAME, NAME/CONFIG, NAME:VERSION, or KIND:PATH with "
                       f"{', '.join(FILES)}); "
                       f"{nearest(name, EMBEDDED)}") from error
    try:
        return tfds.core.read_only_builder.builder_from_files(str(parsed), data_dir=folder, **arguments), name
    except (tfds.core.DatasetNotFoundError, FileNotFoundError):
        pass  # not prepared there
    known = tfds.list_builders(with_community_datasets=False)
    if str(parsed) not in known:
        close = nearest(str(parsed), [*EMBEDDED, *known])
        names = f"known: {', '.join(EMBEDDED)}, and TFDS's data sets of images, texts and sound."
        short = close.partition(" Known:")[0] if "did you mean" in close else names
        raise BadInput(f"--dataset={name} is unknown, and not prepared in {folder}; {short}")
    tried = f"--dataset={name}: not prepared in {folder}, and it can't be downloaded:"
    try:
        builder = tfds.builder(name, data_dir=folder)
    except Exception as error:  # whatever TFDS finds wrong with the configuration or the version
        raise BadInput(f"--dataset={name}: {first_line(error)}") from error
    features = dict((builder.info.features or {}).items())
    if not (any(isinstance(feature, tfds.features.Image) for feature in features.values())
            or isinstance(features.get("text"), tfds.features.Text)
            or isinstance(features.get("audio"), tfds.features.Audio)):
        raise BadInput(
            f"--dataset={name} has no images, text or sound; choose a data set that has, for example digits."
        )
    if not (folder / "downloads").exists():  # else what is there may be enough
        _connect(tried)
    log(f"Downloading {name} into {folder}.")
    try:
        builder.download_and_prepare()
    except Exception as error:  # the network, the disk, a missing package or manual step: as many kinds as data sets
        raise BadInput(f"{tried} {first_line(error)}") from error
    return builder, name


def first_line(error):
    """Returns what TFDS says, without its own wrapping ("Failed to construct ...: ") and the lists that follow."""
    return str(error).strip().splitlines()[0].rpartition('": ')[2] if str(error).strip() else type(error).__name__


def _connect(tried):
    """Finds out in seconds that there is no network; TFDS's own retries take minutes to."""
    try:
        requests.head(HOST, timeout=10)
    except requests.RequestException as error:
        raise BadInput(f"{tried} no connection to {HOST} ({type(error).__name__}); prepare it with tfds where there is "
                       "one, "
                       "and set --data_dir to that folder.") from error


def known(name):
    """Returns what an embedded set tells of itself, its modes or its factors: fields of `DataSet`."""
    tell = declared(name, "known")
    return tell(name.partition("/")[2]) if tell else {}


def declared(name, attribute):
    """Returns an attribute of an embedded set's module, such as the LEVELS of its images or the GRAMMAR of its lines;
    None where there is none."""
    if name not in EMBEDDED:
        return None
    module = importlib.import_module(f"trainers.data.embedded.{name.partition('/')[0]}")
    return getattr(module, attribute, None)
