"""Replies as JSON text and back; never pickle, since a stored file may come from elsewhere."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from typing import Any

from ragctx.errors import StoreCorrupt
from ragctx.work import Completion, Relevances, Scores, Stretch, Success, Vectors

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Completion, Scores, Vectors, Relevances)}


def dump_reply(reply: Success) -> str:
    """One line of JSON.

    Example:
        >>> load_reply(dump_reply(Completion("yes", prompt_tokens=3, logprobs=(-0.25,))))
        Completion(text='yes', prompt_tokens=3, output_tokens=0, cached_tokens=0, logprobs=(-0.25,), finish='stop', \
seconds=0.0, exact=True)
    """
    values = {f.name: getattr(reply, f.name) for f in fields(reply)}
    if isinstance(reply, Vectors):
        values["rows"] = _dump_rows(reply.rows)
    return json.dumps({"kind": type(reply).__name__, **values}, separators=(",", ":"))


def load_reply(text: str) -> Success:
    """The reply that `dump_reply` wrote.

    Raises:
        StoreCorrupt: the text is not one.
    """
    try:
        values = json.loads(text)
        kind = _KINDS[values.pop("kind")]
        if kind is Vectors:
            values["rows"] = _load_rows(values["rows"])
        if kind is Relevances:
            values["answers"] = [[Stretch(*place) for place in places] for places in values.get("answers", ())]
        reply: Success = kind(**{name: _frozen(value) for name, value in values.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreCorrupt(f"a stored reply cannot be read ({error!r}): clear the reply cache and ask again") from error
    return reply


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _dump_rows(rows: Any) -> dict[str, object]:  # noqa: ANN401 - a numpy array; numpy is not imported here
    data = base64.b64encode(rows.astype("<f4").tobytes()).decode()
    return {"shape": list(rows.shape), "float32": data}


def _load_rows(stored: Any) -> Any:  # noqa: ANN401
    import numpy as np

    return np.frombuffer(base64.b64decode(stored["float32"]), dtype="<f4").reshape(stored["shape"])
