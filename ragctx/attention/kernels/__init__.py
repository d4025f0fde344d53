"""Kernels: a query, keys and values held in rows or pages, and an index -> output and log-sum-exp.

`cpu` is compiled, where a compiler was there at installation; `torch_tiles` stands in for it and for what it does not
take. `choice.kernel` tells by name which of them computes.
"""
