"""What a scripted model says: rules in Python, TOML or JSON."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import tomllib
import zlib
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

from ragctx.errors import ConfigError
from ragctx.models import Counter
from ragctx.types import Prices
from ragctx.work import Completion, Failure, FailureKind, Generate, Message, Reply

Saying = str | Failure | Callable[[Generate], "str | Reply"]
# Words, punctuation marks, and characters of scripts that put no blanks between words, one by one.
_DENSE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_DENSE}]|[^\W{_DENSE}]+|[^\w\s]")
_PIECE = re.compile(rf"\s*(?:{_TOKEN.pattern})(?:\s+\Z)?")


@dataclass(frozen=True, slots=True)
class WordCounter:
    """Counts words and punctuation marks, exactly: the tokenizer of a model that does not exist.

    Characters of scripts without blanks, such as Chinese, are counted one by one.

    A rendered prompt costs one token more for each message, and one for the reply to begin.

    Example:
        >>> WordCounter().count("Three months."), WordCounter().render([Message("user", "Three months.")])
        (3, 5)
    """

    name: str = "words"
    exact: bool = True

    def count(self, text: str) -> int:
        """Words and punctuation marks."""
        return len(_TOKEN.findall(text))

    def pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Each token's id, which is its word's whatever the case, and its characters, blanks before it included."""
        found = list(_PIECE.finditer(text))
        return [_id(match.group()) for match in found], [match.span() for match in found]

    def render(self, messages: Sequence[Message]) -> int:
        """The rendered prompt."""
        return 1 + sum(1 + self.count(message.content) for message in messages)

    def cut(self, text: str, tokens: int) -> str:
        """The longest beginning of a text with so many tokens."""
        ends = [match.end() for match in _TOKEN.finditer(text)]
        return text if len(ends) <= tokens else text[: ends[tokens - 1] if tokens else 0]


def _id(piece: str) -> int:
    return zlib.crc32(piece.strip().lower().encode("utf-8", "surrogatepass")) >> 1  # fits 32 bits with a sign


FLAKY = Failure("server", "a scripted failure")


@dataclass(frozen=True, slots=True)
class Rule:
    """What to say when the last user message matches.

    Attributes:
        match: a substring, or a compiled pattern that is searched for; empty matches every message.
        reply: the text, a failure, or a function of the request that returns either or a whole `Completion`.
        delay: seconds before it is said.
        failures: how many times the same prompt fails with `failure` before it is answered.
        prompt_tokens: billed instead of the counted ones. output_tokens: likewise.

    Example:
        >>> Rule("notice", "Three months.").matches("What is the notice period?")
        True
    """

    match: str | re.Pattern[str] = ""
    reply: Saying = ""
    delay: float = 0.0
    failures: int = 0
    failure: Failure = FLAKY
    prompt_tokens: int | None = None
    output_tokens: int | None = None

    def matches(self, text: str) -> bool:
        """Whether the rule speaks to this message."""
        return self.match in text if isinstance(self.match, str) else self.match.search(text) is not None


def echo(request: Generate) -> str:
    """The last user message, said back."""
    return last_user(request)


def last_user(request: Generate) -> str:
    """The text that rules are matched against."""
    return next((message.content for message in reversed(request.messages) if message.role == "user"), "")


@dataclass(slots=True)
class Script:
    """Rules in order, the first that matches speaks; `default` speaks where none does.

    Example:
        >>> script = Script((Rule("notice", "Three months.", failures=1),))
        >>> question = Generate((Message("user", "What is the notice period?"),))
        >>> script.reply(question).kind, script.reply(question).text
        ('server', 'Three months.')
    """

    rules: Sequence[Rule] = ()
    default: Saying = echo
    counter: Counter = field(default_factory=WordCounter)
    _failed: Tally[tuple[int, tuple[Message, ...]]] = field(default_factory=Tally)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identity(self) -> str:
        """Digest of everything the script may say; another one at every call where a function speaks.

        What a function will say cannot be told from looking at it, so nothing that it said may be reused.
        """
        try:
            said = json.dumps([self.default, *map(asdict, self.rules)], sort_keys=True, default=_plain)
        except TypeError:
            return uuid4().hex[:12]
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def rule(self, request: Generate) -> Rule:
        """The rule that speaks."""
        text = last_user(request)
        return next((rule for rule in self.rules if rule.matches(text)), Rule(reply=self.default))

    def reply(self, request: Generate) -> Reply:
        """What is said this time."""
        rule = self.rule(request)
        if self._fails(rule, request):
            return rule.failure
        said = rule.reply(request) if callable(rule.reply) else rule.reply
        return self._completed(request, rule, said) if isinstance(said, str) else said

    def said(self, query: str) -> str:
        """What the first rule that matches a query replies, where that is plain text; empty where none does."""
        reply = next((rule.reply for rule in self.rules if rule.matches(query)), "")
        return reply if isinstance(reply, str) else ""

    def _fails(self, rule: Rule, request: Generate) -> bool:
        if not rule.failures:
            return False
        place = id(rule), request.messages
        with self._lock:
            self._failed[place] += 1
            return self._failed[place] <= rule.failures

    def _completed(self, request: Generate, rule: Rule, text: str) -> Completion:
        kept = _stopped(text, request.sampling.stop)
        cut = WordCounter().cut(kept, request.sampling.max_tokens)
        prompt = self.counter.render(request.messages) if rule.prompt_tokens is None else rule.prompt_tokens
        output = self.counter.count(cut) if rule.output_tokens is None else rule.output_tokens
        logprobs = tuple(-(1 + place % 7) / 8 for place in range(output)) if request.sampling.logprobs else ()
        return Completion(cut, prompt, output, logprobs=logprobs, finish="stop" if cut == kept else "length")


def _plain(value: object) -> object:
    """What a script holds besides texts and numbers, as JSON.

    Raises:
        TypeError: a function.
    """
    if value is echo:
        return {"says": "echo"}
    if isinstance(value, re.Pattern):
        return {"regex": value.pattern, "flags": value.flags}
    if isinstance(value, Failure):
        return asdict(value)
    raise TypeError(f"a {type(value).__name__} is no plain data")


def _stopped(text: str, stops: Sequence[str]) -> str:
    ends = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


# A script in a file.


def read_script(path: Path) -> tuple[Script, dict[str, Any]]:
    """The script in a TOML or JSON file, and the model's facts that stand beside it (window, prices).

    Raises:
        ConfigError: the file is missing, is not TOML or JSON, or holds keys that nobody knows.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the script {path} cannot be read ({getattr(error, 'strerror', None) or error}): give a TOML or JSON file"
        ) from error
    _known(path, "the script", table, {"default", "rule", "window", "prices", "concurrency", "batch"})
    rules = tuple(_rule(path, entry) for entry in table.pop("rule", []))
    prices = table.pop("prices", None)
    if prices is not None:
        _known(path, "prices", prices, {f.name for f in fields(Prices)})
        table["prices"] = Prices(**prices)
    return Script(rules, table.pop("default", echo)), table


def _rule(path: Path, entry: Mapping[str, Any]) -> Rule:
    _known(path, "a rule", entry, {f.name for f in fields(Rule)} | {"regex"})
    values = dict(entry)
    if "regex" in values:
        values["match"] = _pattern(path, values.pop("regex"))
    if "failure" in values:
        failure = _failure(path, values["failure"])
        values["failure"] = failure
        if "reply" not in values and "failures" not in values:
            return Rule(**{**values, "reply": failure})  # fails every time
    return replace(Rule(), **values)


def _pattern(path: Path, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"{path}: regex {text!r} is none ({error}): mend it, or use match for a substring") from error


def _failure(path: Path, entry: Mapping[str, Any]) -> Failure:
    _known(path, "a failure", entry, {f.name for f in fields(Failure)})
    kinds = get_args(FailureKind)
    if entry.get("kind", "server") not in kinds:
        raise ConfigError(f"{path}: no failure is called {entry['kind']!r}: {', '.join(kinds)}")
    return Failure(**{"kind": "server", "message": "a scripted failure", **entry})


def _known(path: Path, what: str, table: object, known: set[str]) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{path}: {what} must be a table of {', '.join(sorted(known))}")
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(f"{path}: {what} has no key {', '.join(unknown)}: it has {', '.join(sorted(known))}")
