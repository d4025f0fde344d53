"""Bugs planted in copies of the kernels, each with a call that has to show it: in the numbers, or to the sanitizer."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import honest
from triton.runtime.errors import InterpreterError

import ragctx.attention.kernels.triton as package
from ragctx.attention import cases

NUMBERS, SANITIZER = "numbers", "sanitizer"


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    right: str
    wrong: str
    case: str
    caught: str = NUMBERS


MUTANTS = (
    Mutant("sums not rescaled", "tile", "sums * shrink[:, None]", "sums", "ragged heads and chunk"),
    Mutant("total not rescaled", "tile", "total * shrink + ", "total + ", "ragged heads and chunk"),
    Mutant("peak forgotten", "tile", "tl.maximum(peak, tl.max(scores, 1) * scale)",
           "tl.max(scores, 1) * scale + 0 * peak", "long decoding"),
    Mutant("a query sees the token after it", "tile", "<= positions[:, None]", "<= positions[:, None] + 1",
           "narrow heads"),
    Mutant("no causal mask", "tile", "<= positions[:, None]", "<= last", "ragged heads and chunk"),
    Mutant("exp for exp2", "tile", "weights = tl.exp2(", "weights = tl.exp(", "narrow heads"),
    Mutant("first tile left out", "tile", "range(begin * parts,", "range((begin + (end - begin > 1)) * parts,",
           "ragged heads and chunk"),
    Mutant("part of a tile twice", "tile", "number % parts * keys", "0 * keys", "wide single precision"),
    Mutant("query positions not packed", "tile", "position + packed // group, position + queries - 1",
           "position + packed, position + queries - 1", "ragged heads and chunk"),
    Mutant("place in the page lost", "tile", "number * key_page + begin % page * key_token", "number * key_page",
           "chunk over pages"),
    Mutant("one small page for a whole tile", "tile", "tokens // page, mask", "begin // page + 0 * tokens, mask",
           "mixed batch, small pages"),
    Mutant("everybody reads the first request's pages", "tile", "request * most", "0 * most",
           "mixed batch, small pages"),
    Mutant("rows of the first request", "tile", "tl.load(table + request)", "tl.load(table)", "mixed batch, rows"),
    Mutant("heads of a group lie apart", "prefill", "head * group + packed % group", "head + packed % group",
           "ragged heads and chunk", SANITIZER),
    Mutant("log-sum-exp in base 2", "prefill", "* 0.6931471805599453", "* 1.0", "narrow heads"),
    Mutant("heads of a group lie apart when decoding", "decode", "head * group + packed % group",
           "head + packed % group", "long decoding"),
    Mutant("a split's total left out", "decode", "peak + tl.log2(total)", "peak", "long decoding"),
    Mutant("splits weigh alike", "merge", "weights = tl.exp2(parts - higher)",
           "weights = tl.where(parts > -1e9, 1.0, 0.0)", "long decoding"),
    Mutant("merged sums not rescaled", "merge", "sums * shrink + ", "sums + ", "many splits"),
    Mutant("merged total not rescaled", "merge", "total * shrink + ", "total + ", "many splits"),
    Mutant("rows in the order of heads within tiles", "work",
           "np.repeat(np.arange(index.heads, dtype=np.int32), extent.tiles)",
           "np.tile(np.arange(index.heads, dtype=np.int32), extent.tiles)", "ragged heads and chunk", SANITIZER),
    Mutant("queries of all requests from the first", "work", "begin - extent.first + at", "begin - extent.first",
           "mixed batch, rows", SANITIZER),
    Mutant("a split's last tile left out", "work", "made[:, BEGIN] + size, made", "made[:, BEGIN] + size - 1, made",
           "long decoding"),
    Mutant("splits overlap", "work", "made[:, BEGIN] += numbers * size", "made[:, BEGIN] += numbers * (size - 1)",
           "long decoding"),
    Mutant("only the last split", "work", "merges[:, END] - counts", "merges[:, END] - 1", "long decoding"),
    Mutant("all pieces are the first", "work", "made[:, FIRST] = numbers * size", "made[:, FIRST] = 0 * numbers",
           "ragged heads and chunk", SANITIZER),
    Mutant("keys after the last are read", "tile", "tl.load(key, mask=held[None, :], other=0.0)", "tl.load(key)",
           "ragged heads and chunk", SANITIZER),
    Mutant("unwritten values are read", "tile", "tl.load(value, mask=held[:, None], other=0.0)", "tl.load(value)",
           "chunk over pages"),
    Mutant("the table is read past its end", "tile", "mask=tokens <= last, other=0)", "mask=tokens >= 0, other=0)",
           "a few queries at once", SANITIZER),
    Mutant("no tail mask when storing", "prefill",
           "tl.store(output + to[:, None] + dims[None, :], written, mask=real[:, None])",
           "tl.store(output + to[:, None] + dims[None, :], written)", "ragged heads and chunk",
           SANITIZER),
    Mutant("a race: every piece is computed by two", "work", "cls(_pieces(rows[~few], group, wide)",
           "cls(np.repeat(_pieces(rows[~few], group, wide), 2, axis=0)", "narrow heads", SANITIZER),
    Mutant("a race: all splits leave their results in one slot", "decode", "to = slot.to(tl.int64) * rows",
           "to = slot.to(tl.int64) * 0", "long decoding", SANITIZER),
)  # fmt: skip


def planted(mutant, folder):
    """The package copied to `folder` with the bug in it, imported under a name of its own."""
    name = f"mutant_{[*MUTANTS, FAR].index(mutant)}"
    own = Path(package.__file__).parent
    (folder / name).mkdir()
    for path in own.glob("*.py"):
        text = path.read_text().replace(package.__name__, name)
        if path.stem == mutant.file:
            assert mutant.right in text, f"{mutant.name}: {mutant.right} is no longer in {path.name}"
            text = text.replace(mutant.right, mutant.wrong)
        (folder / name / path.name).write_text(text)
    return importlib.import_module(name)


FAR = Mutant("page numbers not widened", "tile", "last, other=0).to(tl.int64)", "last, other=0)", "", SANITIZER)
"""Shows in a cache of more than 2^31 numbers only, see `distant.py`."""


def outcome(mutant):
    """By what the bug was caught (nothing: ""), and what was told."""
    folder = Path(tempfile.mkdtemp())
    sys.path.insert(0, str(folder))
    case = next(case for case in cases.CASES if case.name == mutant.case)
    real = cases.attend
    try:
        cases.attend = planted(mutant, folder).attend
        with honest.Sanitizer():
            result = cases.compared(case, "cpu", runs=1)
    except InterpreterError as error:
        known = any(kind in repr(error) for kind in ("IndexError", "RuntimeError"))
        return {"caught": SANITIZER if known else "error", "told": repr(error)[:300]}
    finally:
        cases.attend = real
        sys.path.remove(str(folder))
        shutil.rmtree(folder)
    return {"caught": "" if result.right else NUMBERS, "told": f"{result.output:.1e} {result.lse:.1e}"}
