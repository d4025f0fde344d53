"""From our requests to vLLM's: prompts as ids under a salt, and how to sample them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ragctx.work import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray


def prompt(tokens: NDArray[np.int32], salt: str) -> dict[str, Any]:
    """A prompt whose kept keys and values are reused by prompts of the same salt alone."""
    return {"prompt_token_ids": tokens.tolist(), "cache_salt": salt}


def generating(sampling: Sampling, ends: Iterable[int], cached: bool = True) -> Any:  # noqa: ANN401 - vLLM's own type
    """How to write an answer; stop strings and loops are watched for by `Writing`.

    Args:
        sampling: as asked.
        ends: ids that end an answer.
        cached: whether kept keys and values may be reused.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=sampling.max_tokens,
        temperature=max(0.0, sampling.temperature),
        top_p=sampling.top_p,
        seed=seed(sampling),
        stop_token_ids=[] if sampling.ignore_end else sorted(ends),
        ignore_eos=sampling.ignore_end,
        logprobs=0 if sampling.logprobs else None,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
        skip_reading_prefix_cache=not cached,
    )


def scoring(cached: bool) -> Any:  # noqa: ANN401
    """How to read a text whose tokens' log-probabilities are wanted; one token has to be written, and is thrown away.

    Args:
        cached: whether kept keys and values may be reused; nothing is told of the tokens that they are of.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=1,
        temperature=0.0,
        prompt_logprobs=0,
        flat_logprobs=True,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        skip_reading_prefix_cache=not cached,
    )


def seed(sampling: Sampling) -> int | None:
    """A number of a sample's own, so that it does not depend on what else is answered; none where nothing is drawn."""
    if sampling.temperature <= 0:
        return None
    digest = hashlib.sha256(f"{sampling.seed}:{sampling.sample}".encode()).digest()
    return int.from_bytes(digest[:7], "big")
