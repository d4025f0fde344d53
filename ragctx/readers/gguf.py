"""Converts a GGUF file into a checkpoint folder that transformers loads in a second instead of twenty.

Weights are de-quantised to bfloat16: its rounding is far below the quantisation's, and it halves the folder.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragctx.errors import ConfigError, MissingExtra, StoreFull

log = logging.getLogger(__name__)

# The converter gives every byte-level tokenizer one pre-tokenizer; families trained with another get theirs back.
_DIGITS_APART = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ],
}
PRE_TOKENIZERS = {"smollm": _DIGITS_APART}


def convert_once(source: Path, target: Path) -> Path:
    """The converted folder, made now if it is not there; two processes asking at once make it once.

    The folder appears complete or not at all: it is written beside its place, then renamed.

    Raises:
        ConfigError: the file cannot be converted. MissingExtra: a package is missing. StoreFull: the disk is full.
    """
    if target.exists():
        return target
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():  # another process made it while this one waited
            return target
        log.info("converting %s once into %s", source.name, target)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            _convert(source, temporary)
            os.replace(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return target


def _convert(source: Path, folder: Path) -> None:
    try:
        import gguf  # noqa: F401 - transformers reads the file with it
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as missing:
        raise MissingExtra("reading a GGUF file", "local", missing.name or "gguf") from missing
    try:
        with without_bars():
            model = AutoModelForCausalLM.from_pretrained(
                source.parent,
                gguf_file=source.name,
                dtype=torch.bfloat16,
                quantization_config=GgufConfig(dequantize=True),
            )
            model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
        _mend_tokenizer(source, folder / "tokenizer.json")
    except OSError as failed:
        if failed.errno == 28:  # no space left on device
            raise StoreFull(f"no space to convert {source.name}: free some below {folder.parent}") from failed
        raise ConfigError(f"cannot convert {source}: {failed}; use a safetensors checkpoint") from failed
    except (ValueError, KeyError, NotImplementedError) as failed:
        raise ConfigError(f"cannot convert {source}: {failed}; use a safetensors checkpoint") from failed


@contextmanager
def without_bars() -> Iterator[None]:
    """No progress bars of transformers inside: a library does not write to somebody else's terminal."""
    from transformers.utils import logging as theirs

    drawn = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            theirs.enable_progress_bar()


def _mend_tokenizer(source: Path, path: Path) -> None:
    from gguf import GGUFReader

    field: Any = GGUFReader(source).fields.get("tokenizer.ggml.pre")
    wanted = PRE_TOKENIZERS.get(field.contents() if field is not None else "")
    if wanted is None:
        return
    tokenizer = json.loads(path.read_text("utf-8"))
    tokenizer["pre_tokenizer"] = wanted
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
