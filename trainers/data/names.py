"""The names of data sets that need no network: those of our own, and the kinds of file, each with its reader."""

EMBEDDED = ("digits", "photo_patches", "toy2d/eight_gaussians", "toy2d/two_moons", "toy2d/checkerboard",
            "toy2d/spirals", "toy2d/pinwheel", "claw",
            "expressions", "pysource", "shapes", "shapes/colour", "shapes/outline", "sketches", "tones")
# The user's own, KIND:PATH: {kind: (module of trainers.data.readers, its function)}.
FILES = {"image_folder": ("folder", "open_folder"), "lines": ("text", "open_lines"),
         "ndjson": ("strokes", "open_ndjson"), "table": ("table", "open_table"),
         "text_file": ("text", "open_text_file"), "wav_folder": ("audio", "open_wav_folder")}
