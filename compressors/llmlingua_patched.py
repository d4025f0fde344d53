"""The compressor of the PyPI package `llmlingua` 0.2.2, mended where it stands in its own way, and watched.

Three things: its constructor downloads a file of the `tiktoken` package, for a figure that nobody needs here; it holds
a model's cache as pairs of tensors, which transformers 5 no longer does; and it gives back text, where what is wanted
are the places of the tokens that it kept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from ragctx.errors import MissingExtra
from ragctx.loading import LOADING

Places = list[tuple[int, int]]


class _Uncounted:
    """Stands where the package wants a tokenizer of OpenAI's, to say in its results what a prompt would cost."""

    @staticmethod
    def encoding_for_model(name: str) -> type[_Uncounted]:
        return _Uncounted

    @staticmethod
    def encode(text: str) -> list[str]:
        return text.split()


class _Paired:
    """A model that is given, and gives, its cache as pairs of keys and values."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - a transformers model
        self._model = model

    def __call__(self, input_ids: Any, *, past_key_values: Any = None, **options: Any) -> Any:  # noqa: ANN401
        from transformers import DynamicCache

        held = None
        if past_key_values is not None:
            held = DynamicCache()
            for layer, (keys, values) in enumerate(past_key_values):
                held.update(keys, values, layer)
        said = self._model(input_ids, past_key_values=held, **options)
        if said.past_key_values is not None:
            said.past_key_values = [[layer.keys, layer.values] for layer in said.past_key_values.layers]
        return said


@cache
def _watched() -> Any:  # noqa: ANN401 - a class of a package that may not be here
    with LOADING:
        try:
            import torch

            package = import_module("llmlingua.prompt_compressor")
        except ImportError as missing:
            raise MissingExtra("the llmlingua adapter", "llmlingua", missing.name or "llmlingua") from missing
    setattr(package, "tiktoken", _Uncounted)  # noqa: B010 - where the package is not here, its name is unknown

    class Watched(package.PromptCompressor):  # type: ignore[misc, name-defined]  # untyped
        """Remembers which contexts were taken, in which order, and which tokens of them were kept."""

        model: Any
        used: list[int]
        seen: list[str]
        kept: list[int]
        _at: Any = None

        def load_model(self, model_name: str, device_map: str = "cpu", model_config: Any = None) -> None:  # noqa: ANN401
            super().load_model(model_name, device_map, {"trust_remote_code": False, **(model_config or {})})
            self.model = _Paired(self.model.eval())

        def control_context_budget(self, *given: Any, **options: Any) -> Any:  # noqa: ANN401
            result = super().control_context_budget(*given, **options)
            self.used = list(result[2])
            return result

        def iterative_compress_prompt(self, context: list[str], *given: Any, **options: Any) -> Any:  # noqa: ANN401
            self.seen, self.kept, self._at = list(context), [], None
            found = super().iterative_compress_prompt(context, *given, **options)
            start = options.get("start", 0)
            left = range(start + found[0].shape[1]) if self._at is None else self._at.tolist()
            self.kept = [*self.kept, *left][start:]
            return found

        def get_compressed_input(self, loss: Any, ids: Any, mask: Any, *given: Any, **options: Any) -> Any:  # noqa: ANN401
            if self._at is None:
                self._at = torch.arange(ids.shape[1])
            given = tuple(int(one) for one in given)  # where a segment ends: as a tensor it would be changed in place
            gone = len(self._at) - ids.shape[1]  # beyond the model's window, and kept as it stands
            self.kept, self._at = [*self.kept, *self._at[:gone].tolist()], self._at[gone:]
            result = super().get_compressed_input(loss, ids, mask, *given, **options)
            places = self._at[None].to(ids.device)
            self._at = super().get_compressed_input(loss, places, mask, *given, **options)[0][0].cpu()
            return result

    return Watched


class Package:
    """One model opened by the package; asked by one thread at a time, since the package keeps state."""

    def __init__(self, model: str, device: str) -> None:
        with LOADING:
            self._inner = _watched()(model, device_map=device)
        self._lock = threading.Lock()

    def count(self, text: str) -> int:
        """Tokens of a text, as the package's model counts them."""
        return len(self._inner.tokenizer(text, add_special_tokens=False)["input_ids"])

    def kept(
        self, texts: Sequence[str], question: str, target: int, options: dict[str, Any]
    ) -> list[tuple[int, Places]]:
        """Which texts were taken, in reading order, and of each the characters of every token that was kept.

        Args:
            texts: what is compressed; none of them blank.
            question: what is asked.
            target: tokens that the package is to leave, by its model.
            options: of its `compress_prompt`.
        """
        with self._lock:
            inner = self._inner
            inner.used = list(range(len(texts)))
            inner.compress_prompt(
                list(texts), question=question, target_token=target, concate_question=False, **options
            )
            whole = "\n\n".join(inner.seen)
            offsets = inner.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            spots = [offsets[place] for place in inner.kept]
            return _divided(inner.seen, inner.used, spots)


def _divided(seen: Sequence[str], used: Sequence[int], spots: Sequence[tuple[int, int]]) -> list[tuple[int, Places]]:
    """Characters of the joined text as characters of each text; what is no text of ours, the question, is left out.

    Example:
        >>> _divided(["Why?", "ab cd", "ef"], [1, 0], [(0, 3), (6, 8), (9, 11), (13, 15)])
        [(1, [(0, 2), (3, 5)]), (0, [(0, 2)])]
    """
    at = sum(len(text) + 2 for text in seen[: len(seen) - len(used)])
    divided = []
    for number, text in zip(used, seen[len(seen) - len(used) :], strict=True):
        inside = [(max(start, at) - at, min(end, at + len(text)) - at) for start, end in spots]
        divided.append((number, [(start, end) for start, end in inside if start < end]))
        at += len(text) + 2
    return divided
