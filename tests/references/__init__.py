"""Renderings of the original implementations in PyTorch.

Written for the tests and the benchmarks from the facts of the originals; each
file names its source. They hold no Keras and import nothing of the package.
"""
