"""`pysource`: source code of the standard library of the Python that runs, 1.5 MB of text to train on, parted by
module.

The code changes with Python, so the data set's version is Python's: numbers of two versions do not compare.
"""

import pathlib
import platform
import re
import sysconfig

import tensorflow_datasets as tfds

from trainers.errors import BadInput

TRAIN = """abc argparse ast base64 bdb cmd code codecs collections/__init__ configparser contextlib copy csv dataclasses
enum fileinput fnmatch gettext glob gzip hashlib hmac io linecache locale logging/__init__ mimetypes ntpath numbers
opcode operator optparse os pkgutil posixpath pprint queue random reprlib sched selectors shelve stat string struct
symtable tabnanny tempfile threading timeit token trace traceback types typing uuid warnings wave weakref"""
MODULES = {"train": TRAIN.split(), "validation": "bisect calendar quopri socketserver tokenize zipapp".split(),
           "test": "filecmp keyword pdb poplib smtplib textwrap".split()}


class Pysource(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version(re.match(r"\d+\.\d+\.\d+", platform.python_version()).group())

    def _info(self):
        return self.dataset_info_from_configs(
            description=__doc__, disable_shuffling=True,
            features=tfds.features.FeaturesDict({"module": tfds.features.Text(), "text": tfds.features.Text()}))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(modules) for split, modules in MODULES.items()}

    def _generate_examples(self, modules):
        for index, module in enumerate(modules):
            yield index, {"module": module, "text": source(module)}


def source(module):
    """Reads a module's code. Raises BadInput where Python came without it, or the module is of a later or an earlier
    Python."""
    path = pathlib.Path(sysconfig.get_path("stdlib"), f"{module}.py")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--dataset=pysource: Python's own {path} can't be read: {error.strerror}; use text_file:PATH "
                       "with a text of yours.") from error
