"""What an exported model is.

`signatures`: what the server answers, a function per capability, its inputs and outputs made of the model's domain and
controls by `fields`. `export`: the folder with the SavedModel, its card, examples and warm-up requests.
`check`: holds such a folder against them, its ops by the list of `graph`, its answers by `session`, which runs alone.
"""
