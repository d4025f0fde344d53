"""Which files are code, by their suffix, and the tree-sitter grammars that read them (extra `code`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

# Rounds of the parser, of about a hundred steps each, that a text may take: 200, and one for each 25 bytes. Code takes
# one for 140, and random marks one for 60. Some grammars would be at what takes more for minutes.
_ROUNDS, _BYTES = 200, 25
_STEP = 1 << 16


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar, and the package that holds it.

    Attributes:
        name: of the language. package: on PyPI. function: of the package's module, which gives the grammar.
    """

    name: str
    package: str
    function: str = "language"

    @property
    def identity(self) -> str:
        """Its name and version, which decide how code is divided; empty where the extra `code` is not installed.

        Example:
            >>> Grammar("klingon", "tree-sitter-klingon").identity
            ''
        """
        return _identity(self)

    def tree(self, text: str) -> Any:  # noqa: ANN401 - tree-sitter is an extra
        """The syntax tree of a text, with byte offsets of its UTF-8; None where the parser makes nothing of it.

        A text with errors has a tree, in which nodes of the type ERROR stand where they are.
        """
        data = text.encode("utf-8", "surrogatepass")
        left = _ROUNDS + len(data) // _BYTES

        def enough(offset: int, failing: bool) -> bool:
            nonlocal left
            left -= 1
            return left < 0

        try:
            return _parser(self).parse(lambda at, _: data[at : at + _STEP], progress_callback=enough)
        except ValueError:  # what the parser raises once it was told that it is enough
            return None


def grammar_of(path: str) -> Grammar | None:
    """The grammar for a file's suffix, installed or not; None where the file is not known to be code.

    Example:
        >>> grammar_of("src/main.rs").name, grammar_of("notes.txt")
        ('rust', None)
    """
    return SUFFIXES.get(PurePath(path).suffix.lower())


@cache
def _identity(grammar: Grammar) -> str:
    try:
        version("tree-sitter")
        return f"{grammar.name} {version(grammar.package)}"
    except PackageNotFoundError:
        return ""


def _parser(grammar: Grammar) -> Any:  # noqa: ANN401 - tree-sitter is an extra
    """A parser of its own for each text: several threads may read at once."""
    from tree_sitter import Parser

    return Parser(_language(grammar))


@cache
def _language(grammar: Grammar) -> Any:  # noqa: ANN401
    from tree_sitter import Language

    module = import_module(grammar.package.replace("-", "_"))
    return Language(getattr(module, grammar.function)())


def _table() -> Mapping[str, Grammar]:
    plain = {
        "bash": ".sh .bash", "c": ".c", "c-sharp": ".cs", "cpp": ".cc .cpp .cxx .h .hh .hpp .hxx", "go": ".go",
        "java": ".java", "javascript": ".js .mjs .cjs .jsx", "python": ".py .pyi", "ruby": ".rb", "rust": ".rs",
        "scala": ".scala .sc",
    }  # fmt: skip
    named = {Grammar(name, f"tree-sitter-{name}"): suffixes for name, suffixes in plain.items()}
    named |= {
        Grammar("php", "tree-sitter-php", "language_php"): ".php",
        Grammar("typescript", "tree-sitter-typescript", "language_typescript"): ".ts .mts .cts",
        Grammar("tsx", "tree-sitter-typescript", "language_tsx"): ".tsx",
    }
    return {suffix: grammar for grammar, suffixes in named.items() for suffix in suffixes.split()}


SUFFIXES = _table()
