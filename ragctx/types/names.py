"""What a document is about, as far as its file's name says."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath

_SEPARATORS = re.compile(r"[\s_\-]+")
_EXTENSION = re.compile(r"\.[a-zA-Z]\w{0,4}(#\d+)?$")


def worded(name: str) -> str:
    r"""The name of a file or a page in plain words: without folders, extension, and a table's row.

    Example:
        >>> worded("leases/kestrel-wharf_2024.md"), worded("C:\\parts.csv#20"), worded("https://x.org/wiki/Ada_Moss")
        ('kestrel wharf 2024', 'parts', 'Ada Moss')
        >>> worded("report v1.2")
        'report v1.2'
    """
    # Folders end at both kinds of slashes, whatever machine this is.
    return _SEPARATORS.sub(" ", _EXTENSION.sub("", PureWindowsPath(name).name)).strip()
