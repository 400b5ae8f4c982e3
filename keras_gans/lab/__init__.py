"""The laboratory: the figures of a lecture on GANs, as programs.

A module a figure, of the name of its page in `docs/lab/`: functions that
compute, each with its formula, and `draw(folder)`, which makes the pictures.
`python -m keras_gans.lab` makes all of them, `python -m keras_gans.lab
bilinear_game` one.
"""
