"""Cache keys: what must be equal for one request's reply to answer another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields

from ragctx.models import ModelFacts
from ragctx.work import Embed, Generate, Request, Rerank, Sampling, Score

FORMAT = 1
_SAMPLING = tuple(f.name for f in fields(Sampling))


def reply_key(request: Request, facts: ModelFacts, scope: str = "") -> str | None:
    """The key under which a request's reply is stored, or None where its reply must not be reused.

    It is a SHA-256 over canonical JSON of the request's class, the model's identity and everything that decides the
    reply: messages or texts, every sampling parameter with seed and sample index, and the schema. Role, purpose,
    `final` and `tolerant` decide nothing. A sampled request has a key only inside a `scope`, which is part of it.

    Example:
        >>> from ragctx.work import Message
        >>> greedy = Generate((Message("user", "Why?"),))
        >>> facts = ModelFacts("scripted")
        >>> reply_key(greedy, facts) == reply_key(greedy, facts, scope="job-1")
        True
        >>> reply_key(Generate(greedy.messages, sampling=Sampling(temperature=1.0)), facts) is None
        True
    """
    sampled = isinstance(request, Generate) and request.sampling.temperature > 0
    if sampled and not scope:
        return None
    parts = {
        "format": FORMAT,
        "request": type(request).__name__,
        "model": facts.identity or facts.name,
        "scope": scope if sampled else "",
        **_content(request),
    }
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _content(request: Request) -> Mapping[str, object]:
    match request:
        case Generate():
            return {
                "messages": [(message.role, message.content) for message in request.messages],
                "sampling": {name: getattr(request.sampling, name) for name in _SAMPLING},
                "schema": request.schema,
            }
        case Score():
            return {"prefix": request.prefix, "target": request.target, "whole": request.whole}
        case Embed():
            return {"texts": request.texts, "query": request.query}
        case Rerank():
            return {
                "texts": request.texts,
                "query": request.query,
                "titles": request.titles,
                "units": request.units,
                "answers": request.answers,
            }
