"""The pieces of HTML views: escaping, tables, folds, the style sheet, a whole page."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape

from ragctx.views.text import clean, one_line

CELL = 240

# Colours are the notebook's own where it has any (inherit, transparent) and translucent greys and one blue elsewhere,
# which stand out on white and on black; a page of our own follows the reader's theme by `color-scheme`.
STYLE = """<style>
.ragctx{font:14px/1.5 system-ui,sans-serif;max-width:60rem;color:inherit;overflow-wrap:anywhere}
.ragctx table{border-collapse:collapse;margin:.5em 0;width:100%;color:inherit}
.ragctx th{text-align:left;font-weight:600;border-bottom:1px solid #8888}
.ragctx td{border-bottom:1px solid #8883}
.ragctx td,.ragctx th{padding:.35em 1em .35em 0;vertical-align:top;background:transparent;color:inherit;text-align:left}
.ragctx td.n,.ragctx th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.ragctx td:not(:first-child),.ragctx th{overflow-wrap:break-word}
.ragctx .pairs{columns:14rem;column-gap:2.5em;margin:.5em 0;font-size:13px}
.ragctx .pairs div{display:flex;justify-content:space-between;break-inside:avoid;font-variant-numeric:tabular-nums}
.ragctx td:last-child,.ragctx th:last-child{padding-right:0}
.ragctx .q{opacity:.75;font-size:13px}
.ragctx blockquote{margin:.5em 0;padding:.1em .8em;border-left:3px solid #4a90d9}
.ragctx .text{font-size:16px;white-space:pre-wrap;margin:.2em 0 .6em}
.ragctx .warn{border-left:3px solid #d9822b;padding-left:.8em;margin:.3em 0}
.ragctx .bar{display:inline-block;width:8rem;height:.6em;background:#8884;border-radius:3px;overflow:hidden}
.ragctx .bared{white-space:nowrap}
.ragctx .bar i{display:block;height:100%;background:#4a90d9}
.ragctx h2{font:600 16px/1.4 system-ui,sans-serif;margin:1.2em 0 .3em}
.ragctx .marked{white-space:pre-wrap;line-height:1.6}
.ragctx mark{background:#4a90d940;color:inherit;border-radius:2px;box-decoration-break:clone;padding:.05em 0}
.ragctx s{opacity:.6;text-decoration:line-through #8888}
.ragctx sup{font-size:.7em;line-height:0;margin-left:.15em}
.ragctx a{color:inherit;text-decoration:underline #4a90d9}
.ragctx :target{outline:2px solid #d9822b;outline-offset:2px;border-radius:2px}
.ragctx .gap{font:12px system-ui,sans-serif;opacity:.7;border:1px dashed #8888;border-radius:3px;padding:0 .4em}
.ragctx .gap,.ragctx sup{unicode-bidi:isolate}
.ragctx .pairs span:last-child{white-space:nowrap;padding-left:1em}
.ragctx td:first-child{min-width:5em}
.ragctx .text,.ragctx blockquote,.ragctx .marked,.ragctx td,.ragctx h2{unicode-bidi:plaintext}
.ragctx details{margin:.4em 0}.ragctx summary{cursor:pointer;opacity:.85}
</style>"""
_LONG = re.compile(r"\S{40}(?=\S)")
_BREAK = "\0"  # no text has it: cleaning makes it visible


def e(value: object) -> str:
    """Any value as text that cannot be markup."""
    return escape(clean(str(value)))


def cell(value: object) -> str:
    """A table's cell: as `e`, but of no more than some lines, and a word without an end may break there.

    Example:
        >>> cell("<b>"), cell("a" * 45)[-15:]
        ('&lt;b&gt;', 'aaaaa<wbr>aaaaa')
    """
    return escape(_LONG.sub(rf"\g<0>{_BREAK}", clean(one_line(str(value), CELL)))).replace(_BREAK, "<wbr>")


def wrap(body: str) -> str:
    """One view, with its style."""
    return f'{STYLE}<div class="ragctx">{body}</div>'


def page(title: str, body: str) -> str:
    """A whole file around a view; it asks for nothing from anywhere and runs no script."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width">'
        f"<title>{e(title)}</title>"
    )
    heading = f'<h1 style="font:600 20px/1.4 system-ui,sans-serif;max-width:60rem">{e(title)}</h1>'
    body = f'<body style="margin:2rem auto;max-width:60rem;padding:0 1rem">{heading}{body}</body>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{body}</html>\n'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[str] = ()) -> str:
    """A table whose cells are already HTML; columns named in `numbers` are set right."""
    marks = [' class="n"' if column in numbers else "" for column in columns]
    head = "".join(f"<th{mark}>{e(column)}</th>" for mark, column in zip(marks, columns, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{mark}>{cell}</td>' for mark, cell in zip(marks, row, strict=True))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def pairs(found: Iterable[tuple[str, str]]) -> str:
    """Short names and values, in as many columns as there is room for."""
    return f'<div class="pairs">{"".join(f"<div><span>{e(a)}</span><span>{e(b)}</span></div>" for a, b in found)}</div>'


def folded(title: str, body: str) -> str:
    """What is shown on request."""
    return f"<details><summary>{e(title)}</summary>{body}</details>"


def notes(found: Iterable[str]) -> str:
    """Fall-backs and warnings."""
    return "".join(f'<div class="warn">{e(note)}</div>' for note in found)
