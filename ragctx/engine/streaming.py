"""Streams one call's text to everybody who listens, whenever they began to, retries included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ragctx.work import Completion, Reply

Listener = Callable[[str, bool], None]


@dataclass(slots=True)
class Broadcast:
    """What a call has written so far, and who listens.

    A retry writes from the beginning again: text that was streamed before is passed over in silence as long as it is
    the same, and voided (`restart`) when it is not.

    Example:
        >>> heard = []
        >>> stream = Broadcast()
        >>> stream.subscribe(lambda text, restart: heard.append((text, restart)))
        >>> stream.begin(); stream.take("Three "); stream.begin(); stream.take("Three months")
        >>> stream.begin(); stream.take("Six")
        >>> heard
        [('Three ', False), ('months', False), ('Six', True)]
    """

    sent: str = ""
    attempt: str = ""
    listeners: list[Listener] = field(default_factory=list)

    def subscribe(self, listener: Listener) -> None:
        """Hear everything from the beginning."""
        self.listeners.append(listener)
        if self.sent:
            listener(self.sent, False)

    def begin(self) -> None:
        """A new attempt writes from the beginning."""
        self.attempt = ""

    def take(self, text: str) -> None:
        """New text of the attempt."""
        self.attempt += text
        if self.attempt.startswith(self.sent):
            self._tell(self.attempt[len(self.sent) :], restart=False)
            self.sent = self.attempt
        elif not self.sent.startswith(self.attempt):
            self.sent = self.attempt
            self._tell(self.sent, restart=True)

    def whole(self, reply: Reply) -> None:
        """The completed text: whatever of it was not streamed is told now; blanks at its ends do not matter."""
        if isinstance(reply, Completion) and reply.text.strip() != self.sent.strip():
            self.begin()
            self.take(reply.text)
            if self.sent != reply.text:  # it is a beginning of what was streamed: the rest is void
                self.sent = reply.text
                self._tell(self.sent, restart=True)

    def _tell(self, text: str, *, restart: bool) -> None:
        if not text and not restart:
            return
        for listener in self.listeners:
            listener(text, restart)
