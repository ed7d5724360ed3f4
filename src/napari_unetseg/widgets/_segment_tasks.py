"""What the Segment dock runs off the main thread; torch is loaded there and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import napari_unetseg
from napari_unetseg.images.budget import available_memory
from napari_unetseg.images.crop import crop
from napari_unetseg.images.large import is_larger_than_memory
from napari_unetseg.images.results import Result as Place
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import MemoryConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.widgets._job import Task


@dataclass(frozen=True)
class Order:
    """What to segment, and how; a picture of the dock at one moment."""

    source: ImageSource
    channels: tuple[int, ...]
    region: dict[str, slice]
    word: str
    model: Path
    card: ModelCard
    tiling: TilingConfig
    decoding: DecodingConfig
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    file: Path | None = None
    """What the image was read from."""
    place: Place | None = None
    """Where the result goes if it is larger than memory; none while that is to be chosen."""
    may_replace: bool = False
    opens: bool = False
    """Whether the result that is at `place` is shown, and no other made."""
    asked: DecodingConfig | None = None
    """What a person has chosen, where the run has put a measured diameter and sizes into `decoding`."""

    @property
    def diameter(self) -> float | None:
        """The diameter by which the image is scaled, as far as it is known before a run."""
        return None if isinstance(self.decoding.diameter, str) else self.decoding.diameter

    def settled(self, decoding: DecodingConfig) -> Order:
        """Return the order as it was carried out."""
        return replace(self, decoding=decoding, asked=self.asked or self.decoding)

    def refined(self, decoding: DecodingConfig) -> DecodingConfig:
        """Return what was chosen, with what has been changed in the meantime: the rest is measured anew next time."""
        asked, done = (self.asked or self.decoding).model_dump(), self.decoding.model_dump()
        changes = {name: value for name, value in decoding.model_dump().items() if value != done[name]}
        return DecodingConfig.model_validate({**asked, **changes})

    @cached_property
    def is_large(self) -> bool:
        """Whether the region goes block by block onto disk."""
        network = self.card.network
        return is_larger_than_memory(
            self.part(),
            ndim=self.ndim,
            channels=network.in_channels,
            maps=network.out_channels,
            memory=self.memory.bytes,
        )

    @property
    def ndim(self) -> int:
        """Spatial axes of what is decoded at once: planes or volumes."""
        return ndim_of(self.card, self.decoding, source=self.source)

    @property
    def looks(self) -> tuple[int, bool, int | None]:
        """What the network sees of a pixel: how many views, whether along three axes, and how far apart planes are."""
        is_across = self.decoding.three_axes and self.source.sizes["Z"] > 1
        z_step = (self.decoding.z_step or self.source.z_step) if is_across else None
        return self.decoding.views, is_across, z_step

    def part(self) -> ImageSource:
        """Return the region of the image."""
        return crop(self.source, self.region)

    def frames(self) -> int:
        """Count the planes, or with a 3D model the volumes."""
        sizes = self.part().sizes
        return sizes["T"] * (sizes["Z"] if self.ndim == 2 else 1)

    def facts(self, *, decoding: DecodingConfig) -> dict[str, Any]:
        """Return what the result's metadata say of how it was made; of one that was opened that is not known."""
        if self.opens:
            return {}
        return {
            "model": self.card.name,
            "model_sha256": self.card.sha256,
            "version": napari_unetseg.__version__,
            "image_axes": self.source.axes.letters,
            "channels": list(self.channels),
            "region": {letter: [part.start, part.stop] for letter, part in self.region.items()},
            "decoding": decoding.model_dump(),
            **({"classes": list(self.card.classes)} if self.card.target.is_semantic else {}),
            "tiling": self.tiling.model_dump(),
        }


def ndim_of(card: ModelCard, decoding: DecodingConfig, *, source: ImageSource) -> int:
    """Return how many spatial axes of an image a model decodes at once; without Z there are no three axes."""
    return 3 if decoding.three_axes and source.sizes["Z"] > 1 else card.network.ndim


def measured(order: Order | None) -> str:
    """Say what a run has measured; empty where it was told."""
    if order is None or order.asked is None or order.asked.diameter != "auto":
        return ""
    if order.diameter is None:
        return f"{order.source.name}: the model fits the objects as they are."
    return f"{order.source.name}: measured {order.diameter:g} px. Another number can be typed."


class Loaded:
    """The model at work, ready on its device, and how fast each was found to be; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._model: tuple[Any, Any] = (None, None)
        self._predictor: tuple[Any, Any] = (None, None)
        self.paces: dict[Any, Any] = {}

    def model(self, path: Path) -> Any:
        """Return the model in a file; read again when the file has changed."""
        from napari_unetseg.tasks.model import load_model

        with self._lock:
            key = (path, path.stat().st_mtime_ns) if path.exists() else (path, 0)
            if self._model[0] != key:
                self._model = (key, load_model(path))
            return self._model[1]

    def model_for(self, order: Order) -> Any:
        """Return the model as it is run on the image."""
        from napari_unetseg.tasks.volumes import model_for

        return model_for(order.part(), model=self.model(order.model), decoding=order.decoding)

    def predictor(self, order: Order) -> Any:
        """Return the model on its device, as it is wanted."""
        from napari_unetseg.tasks.ready import predictor_of

        with self._lock:
            model = self.model_for(order)
            key = (self._model[0], order.tiling, order.looks)
            if self._predictor[0] != key:
                self._predictor = (key, predictor_of(model, decoding=order.decoding, tiling=order.tiling))
            return self._predictor[1]

    def pace_key(self, order: Order) -> Any:
        """Return what the pace depends on: the model's file, device, number format, and whether it sees volumes."""
        return (self._model[0], order.tiling.device, order.tiling.precision, order.tiling.batch, order.looks[1:])

    def learn(self, order: Order, factor: float) -> None:
        """Take from a run how much longer than forecast it took; the next forecast is nearer."""
        key = self.pace_key(order)
        if key in self.paces:
            self.paces[key] = self.paces[key].corrected(factor)

    def forget(self) -> None:
        """Let go of model and device memory."""
        self._predictor, self._model = (None, None), (None, None)


def new_cache() -> Any:
    """Return an empty store of maps, as large as memory allows."""
    from napari_unetseg.tasks.recall import MapCache, budget_for

    return MapCache(budget=budget_for(available_memory()))


def forecast_task(order: Order, *, loaded: Loaded) -> Task:
    """Return a task that says what a run will take; it measures each model and device once."""

    def task() -> Generator[Event, None, Any]:
        from napari_unetseg.tasks.forecast import calibrate, forecast, forecast_blocks
        from napari_unetseg.tasks.layout import default_memory
        from napari_unetseg.tasks.ready import predictor_of
        from napari_unetseg.tasks.scaled import scaled

        yield Note("loading")
        model = loaded.model_for(order)
        decoding = order.decoding.replace(diameter=order.diameter)
        predictor = scaled(loaded.predictor(order), model=model, decoding=decoding)
        yield Note("measuring")
        key = loaded.pace_key(order)
        if key not in loaded.paces:
            loaded.paces[key] = yield from calibrate(predictor_of(model, tiling=order.tiling), model=model)
        pace = loaded.paces[key].of_views(order.decoding.views)
        part, known = order.part(), {"predictor": predictor, "model": model, "pace": pace}
        if not order.is_large:
            return forecast(part, **known)
        memory = order.memory.bytes or default_memory(ndim=order.ndim)
        return forecast_blocks(part, memory=memory, channels=order.channels, diameter=order.diameter, **known)

    return task


def segment_task(order: Order, *, loaded: Loaded, result: Any, table: Any, cache: Any) -> Task:
    """Return the task of a run: labels of the region, with ids and a table of the whole result."""

    def task() -> Generator[Event, None, Any]:
        yield Note("")
        from napari_unetseg.tasks.region import Whole, classes_into_whole, into_whole
        from napari_unetseg.tasks.segment import run

        model = loaded.model(order.model)
        predictor = loaded.predictor(order)
        yield Note("")
        result.remember()
        job = run(
            order.part(),
            model=model,
            decoding=order.decoding,
            channels=order.channels,
            preview=True,
            predictor=predictor,
        )
        if result.is_semantic:
            return (yield from classes_into_whole(job, **_where(order, result)))
        return (yield from into_whole(job, **_where(order, result), whole=Whole(result.canvas, table), cache=cache))

    return task


def refine_all_task(
    order: Order, *, loaded: Loaded, result: Any, table: Any, cache: Any, decoding: DecodingConfig
) -> Task:
    """Return a task that decodes the kept maps of the last run into its result; objects keep their ids."""

    def task() -> Generator[Event, None, Any]:
        from napari_unetseg.tasks.refine import refine_all
        from napari_unetseg.tasks.region import Whole, into_whole

        model = loaded.model(order.model)
        result.remember()
        job = refine_all(order.part(), cache=cache, model=model, decoding=decoding, channels=order.channels)
        whole = Whole(result.canvas, table)
        return (yield from into_whole(job, **_where(order, result), whole=whole, keeps_ids=not decoding.link_slices))

    return task


def refine_window_task(
    order: Order, *, loaded: Loaded, result: Any, cache: Any, decoding: DecodingConfig, place: Any, window: Any
) -> Task:
    """Return a task that decodes what is in view; the parts lie in the region of the run."""

    def task() -> Generator[Event, None, Any]:
        from napari_unetseg.tasks.refine import refine_window

        model = loaded.model(order.model)
        result.remember()
        shown = result.canvas[result.box]
        return (
            yield from refine_window(
                cache,
                place=place,
                window=window,
                model=model,
                decoding=decoding,
                shown=shown,
                next_id=result.highest + 1,
            )
        )

    return task


def _where(order: Order, result: Any) -> dict[str, Any]:
    """Return the image and region that the result's array is about."""
    return (
        {"source": order.part(), "region": {}}
        if result.is_own_size
        else {"source": order.source, "region": order.region}
    )
