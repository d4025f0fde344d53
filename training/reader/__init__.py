"""Trains the offline reading model: prunes, reranks and reads in one pass of a small encoder.

`python -m training.reader --data DATA --out OUT` does everything from a data folder to the packaged ONNX file; see
README.md beside this file.
"""
