"""What is said beforehand of a run: time, memory, and whether its labels go onto disk."""

from __future__ import annotations

from typing import Any

from napari_unetseg.images.budget import readable
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.words import duration
from napari_unetseg.widgets._destination import shortened
from napari_unetseg.widgets._message import in_dock_words
from napari_unetseg.widgets._segment_tasks import Order

MEASURING = "Measuring how fast this computer is…"


class ForecastWords:
    """Asks the session for a forecast where something it depends on has changed, and puts it into words."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._asked: tuple[object, ...] = ()
        self._told = MEASURING

    def ask(self, order: Order | None) -> None:
        """Ask for a forecast, unless that was the last one asked for."""
        asked: tuple[object, ...] = ()
        if order is not None:
            asked = (
                order.source,
                tuple(order.region.items()),
                order.memory,
                (order.looks, order.decoding.three_axes, order.decoding.z_step, order.diameter),
                order.model,
                order.tiling,
            )
        if repr(asked) != repr(self._asked):
            if self._asked[4:] != asked[4:]:
                self._told = MEASURING
            self._asked = asked
            self._session.ask_forecast(order)

    def problem(self) -> str:
        """Return why the forecast says that it cannot be run; empty where it can, or is not known."""
        forecast = self._session.forecast
        if isinstance(forecast, UnetSegError):
            return sentence(in_dock_words(str(forecast)))
        is_known = forecast is not None and not isinstance(forecast, Exception)
        return sentence(in_dock_words(forecast.advice)) if is_known and not forecast.fits else ""

    def words(self, order: Order | None, *, goes_on: bool) -> str:
        """Return what is known; while a new forecast is made, the one before stays."""
        lines = [self._time_and_memory()]
        if order is not None and order.is_large:
            lines.append(_onto_disk(order, goes_on=goes_on))
        return "\n".join(lines)

    def _time_and_memory(self) -> str:
        forecast = self._session.forecast
        if forecast is None:
            return self._told
        if isinstance(forecast, Exception):
            return f"No forecast: {forecast}"
        device = "this CPU" if forecast.pace.device == "cpu" else "the GPU"
        precision = forecast.pace.precision.replace("bfloat16", "bf16")
        needs = f"About {_about(forecast.seconds)} on {device} ({precision}), {_bytes(forecast.memory)} of memory"
        self._told = f"{needs}\n{sentence(forecast.advice)}" if forecast.advice else needs
        return self._told


def sentence(words: str) -> str:
    """Return words with a capital letter and a full stop."""
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith(".") else ".")


def _onto_disk(order: Order, *, goes_on: bool) -> str:
    name = "a file that you choose" if order.place is None else shortened(order.place.labels.name)
    if goes_on:
        return f"Larger than memory: goes on, block by block, with what was begun for {name}."
    return f"Larger than memory: segmented block by block into {name}."


def _about(seconds: float) -> str:
    """Return a time as roughly as it is known."""
    return "1 s" if seconds < 1 else duration(float(f"{seconds:.1g}") if seconds < 60 else 10 * round(seconds / 10))


def _bytes(count: float) -> str:
    """Return a size as roughly as it is known."""
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else readable(count)
