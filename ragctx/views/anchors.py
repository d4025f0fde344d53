"""Places within a view that links lead to: no two outputs of a notebook share one."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import count

_SERIAL = count(1)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Ids of one view, all behind one prefix.

    Example:
        >>> here = Anchors("lease")
        >>> here.id("c1"), here.to("c1", "[1]")
        (' id="lease-c1"', '<a href="#lease-c1">[1]</a>')
    """

    prefix: str

    @classmethod
    def fresh(cls, content: str) -> Anchors:
        """A prefix of what is shown and of how many views were made before.

        The number alone would come again when a kernel restarts and older outputs still stand; chance would make every
        page differ from the last.
        """
        known = blake2b(content.encode("utf-8", "replace"), digest_size=4).hexdigest()
        return cls(f"ragctx-{known}-{next(_SERIAL)}")

    def id(self, name: str) -> str:
        """The attribute of the element that is led to; the name is ours, never a text's."""
        return f' id="{self.prefix}-{name}"'

    def to(self, name: str, inner: str) -> str:
        """A link around HTML."""
        return f'<a href="#{self.prefix}-{name}">{inner}</a>'
