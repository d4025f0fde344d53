"""Compressors: each narrows a context to a token budget. One file a method."""
