"""Sparse attention inside vLLM: a plug-in whose backend asks a policy at every call which tiles of keys matter.

The plug-in is found by its entry point in `vllm.general_plugins` and does nothing until an engine is configured:

    LLM(model, additional_config={"ragctx": {"sparse": "auto"}})                                   # in a program
    vllm serve MODEL --additional-config '{"ragctx": {"sparse": "auto", "report": "counts.json"}}'   # as a server

On a CPU start a server with VLLM_CPU_OMP_THREADS_BIND=nobind (and OMP_NUM_THREADS as you like): where vLLM binds its
threads to cores, those of our kernel would all share the first one's. On a GPU also name the backend:
`attention_config={"backend": "CUSTOM"}`, or `--attention-backend CUSTOM`. Whatever a policy or a kernel does not cover
goes to vLLM's own attention, and is counted with the reason (`Counts`).
"""

from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.options import Options

__all__ = ["Counts", "Options"]
