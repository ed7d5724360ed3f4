"""Keys that do something while a dock is open, and what they did before once it is closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Keys:
    """Binds keys of viewers and layers; `release` puts back what was there, unless someone has rebound a key since."""

    def __init__(self, actions: Mapping[str, Callable[[], None]]) -> None:
        self._slots = {key: _slot(action) for key, action in actions.items()}
        self._held: list[tuple[Any, str, Any]] = []

    def hold(self, *providers: Any) -> None:
        """Bind the keys of these viewers or layers, and release those held before."""
        self.release()
        for provider in providers:
            for key, slot in self._slots.items():
                before = provider.bind_key(key, None)
                provider.bind_key(key, slot)
                self._held.append((provider, key, before))

    def release(self) -> None:
        """Give the keys back."""
        for provider, key, before in self._held:
            now = provider.bind_key(key, None)
            kept = before if now is self._slots[key] else now
            if kept is not None:
                provider.bind_key(key, kept)
        self._held.clear()


def _slot(action: Callable[[], None]) -> Callable[[Any], None]:
    def on_key(_provider: Any) -> None:
        action()

    return on_key
