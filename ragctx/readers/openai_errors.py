"""What an endpoint did wrong, as a `Failure` that says which endpoint, what happened and what to do next.

A key never appears: messages are made from status codes and the endpoint's own error text with the key cut out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from ragctx.work import Failure, FailureKind

if TYPE_CHECKING:
    from openai import APIStatusError

_STATUS: Mapping[int, tuple[FailureKind, str]] = {
    401: ("unauthorised", "set OPENAI_API_KEY or the option api_key to a key this endpoint accepts"),
    403: ("unauthorised", "this key may not use the model: ask for access or name another model"),
    404: ("bad_request", "check the model's name and that the address ends in /v1"),
    408: ("timeout", "it is tried again"),
    413: ("too_long", "read less, or use a model with a longer window"),
    429: ("rate_limit", "it is tried again after a pause; lower the option concurrency if this goes on"),
}
_TOO_LONG = re.compile(r"context.?length|maximum context|too long|max_model_len|exceeds? the .*window", re.IGNORECASE)


def public(base_url: str) -> str:
    """The address without user, password and query.

    Example:
        >>> public("https://ann:secret@example.org:8000/v1?key=abc")
        'https://example.org:8000/v1'
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))


def failure(error: Exception, endpoint: str, key: str) -> Failure:
    """The failure an exception of the openai client stands for; anything else is not an endpoint's doing.

    Args:
        error: what the client raised.
        endpoint: shown to people.
        key: cut out of every text.

    Raises:
        Exception: `error` itself, where it is none of the client's.
    """
    import json

    import openai

    if isinstance(error, openai.APITimeoutError):
        return Failure("timeout", f"{endpoint} did not answer in time: see whether it is busy, or raise the timeout")
    if isinstance(error, openai.APIStatusError):
        return _status(error, endpoint, key)
    if isinstance(error, openai.APIResponseValidationError | json.JSONDecodeError | UnicodeDecodeError):
        return malformed(endpoint, "what came back is not the JSON of a chat completion")
    if isinstance(error, openai.APIConnectionError):
        if _was_cut(error):
            return malformed(endpoint, "the connection ended in the middle of the answer")
        return Failure("refused", f"cannot connect to {endpoint}: start the server, or check the address")
    if isinstance(error, openai.APIError):
        return Failure("server", f"{endpoint} sent an error while answering: {_clean(error.message, key)}")
    raise error


def malformed(endpoint: str, what: str) -> Failure:
    """The endpoint answered with something that is no answer."""
    return Failure("malformed", f"{endpoint}: {what}; see whether it is an OpenAI-compatible server")


def _was_cut(error: Exception) -> bool:
    """The client wraps transport errors; a peer that hung up while sending is told apart by its name."""
    cause = error.__cause__
    return type(cause).__name__ in {"RemoteProtocolError", "ReadError", "DecodingError"}


def _status(error: APIStatusError, endpoint: str, key: str) -> Failure:
    said = _clean(error.message, key)
    if error.status_code in {400, 422} and _TOO_LONG.search(said):
        return Failure("too_long", f"{endpoint} says the prompt is too long: {said}; retrieve or read less")
    kind, remedy = _STATUS.get(error.status_code, ("server", "it is tried again; look at the server's log"))
    if 400 <= error.status_code < 500 and error.status_code not in _STATUS:
        kind, remedy = "bad_request", "the server does not take this request: look at what it says"
    wait = _retry_after(error.response.headers)
    return Failure(kind, f"{endpoint} answered {error.status_code}: {said}; {remedy}", wait)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    said = headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time())
    except (ValueError, TypeError):  # absent, or neither form of the header
        return None


def _clean(text: str, key: str) -> str:
    shown = text.replace(key, "[key]") if key else text
    return " ".join(shown.split())[:300]
