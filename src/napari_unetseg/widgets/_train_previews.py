"""Layers that show what training sees and what the network makes of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils import Colormap
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QObject, Signal

from napari_unetseg.images.axes import label_axes
from napari_unetseg.schema.events import Event, Previewed
from napari_unetseg.tasks.pairs import Pairs
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._train_layers import Place, source_of, take_pair

if TYPE_CHECKING:
    from napari_unetseg.widgets._train_session import Plan, TrainSession

CONTOUR = 2  # px; outlines leave the image and what is painted in sight


class PreviewLayer:
    """The Labels layer that shows the prediction of the visible field while training."""

    def __init__(self, session: TrainSession) -> None:
        self._session = session
        self._layer: Labels | None = None

    def show(self, event: Previewed) -> None:
        """Put the newest prediction where it belongs; the layer that is being painted stays the active one."""
        viewer, place = self._session.viewer, event.where
        assert isinstance(place, Place)  # of the session's own field
        data = event.labels.astype(np.int32).reshape((1,) * place.leading + event.labels.shape)
        layer = self._layer
        if layer is not None and layer in viewer.layers and layer.ndim == data.ndim:
            layer.data = data
            for name, value in place.transform.items():  # each that is set draws the outlines anew
                if name not in ("units", "axis_labels") and not _is_same(value, getattr(layer, name)):
                    setattr(layer, name, value)
            return
        with keeping_selection(viewer):
            facts = {"role": "preview", "source": place.source}
            layer = _layers.add_labels(viewer, data, name="Training preview", place=place.transform, facts=facts)
        layer.contour = CONTOUR
        layer.editable = False
        self._layer = layer


def _is_same(first: Any, second: Any) -> bool:
    """Compare two parts of a layer's transform."""
    matrices = (getattr(one, "affine_matrix", one) for one in (first, second))
    return np.array_equal(*matrices)


class TrainPreviews(QObject):
    """Computes the weight map and the grid of augmented patches beside the run, and adds them as layers."""

    told = Signal(str, str)

    def __init__(self, session: TrainSession) -> None:
        super().__init__(session)
        self._session = session
        self.job = session.new_job()
        self.job.succeeded.connect(self._on_job_succeeded)
        self._add: Any = None

    def weights(self, plan: Plan) -> bool:
        """Show the weights of the current plane of the first pair, or of the one that is being painted."""
        viewer = self._session.viewer
        active = viewer.layers.selection.active
        pair = next((one for one in plan.pairs if active in (one.image, one.labels)), plan.pairs[0])
        source = source_of(pair.image, axes=plan.axes)
        letters, sizes = source.axes.letters, source.sizes
        here = _layers.current(pair.image, axes=letters, viewer=viewer)
        shown = "TZ" if plan.reading.ndim == 2 else "T"
        plane = source.name + "".join(f" {one.lower()}{here[one]}" for one in shown if one in here and sizes[one] > 1)
        kept = label_axes(letters)
        start = [here.get(letter, 0) if letter in shown else 0 for letter in kept]
        place = _layers.shifted(_layers.placement(pair.image, axes=letters), start)
        lead = len(kept) - plan.reading.ndim

        def add(weights: np.ndarray) -> None:
            self._show_image(
                weights.reshape((1,) * lead + weights.shape),
                name="Pixel weights",
                role="weights",
                source=source.name,
                colormap=veil(),
                gamma=0.5,
                contrast_limits=(0.0, max(1.0, float(weights.max()))),
                **place,
            )

        def task(pairs: Pairs) -> Generator[Event, None, np.ndarray]:
            from napari_unetseg.tasks import preview

            return (yield from preview.weights(pairs, recipe=plan.recipe, origin=source.name, plane=plane))

        return self._start(plan, task, add)

    def augmentation(self, plan: Plan) -> bool:
        """Show patches as training would draw them, with their labels."""

        def add(grid: Any) -> None:
            image = grid.image if len(grid.image) > 1 else grid.image[0]
            extra = {"channel_axis": 0} if len(grid.image) > 1 else {"contrast_limits": (0.0, 1.0)}
            self._show_image(image, name="Augmented patches", role="augmentation", source="grid", **extra, **place())
            self._show_labels(grid.labels, place())
            self._session.viewer.reset_view()

        def place() -> dict[str, Any]:
            """Beside the images, in pixels of their size: the grid has no place of its own in their world."""
            edges = [float(layer.extent.world[1][-1]) for layer in self._others("augmentation")]
            scale = tuple(plan.pairs[0].image.scale[-2:])
            return {"translate": (0.0, max(edges, default=0.0) + 20 * scale[-1]), "scale": scale}

        def task(pairs: Pairs) -> Generator[Event, None, Any]:
            from napari_unetseg.tasks import preview

            return (yield from preview.augmentation(pairs, recipe=plan.recipe))

        return self._start(plan, task, add)

    def _start(self, plan: Plan, task: Any, add: Any) -> bool:
        if self.job.is_running:
            return False
        taken = [take_pair(pair, axes=plan.axes, regions=plan.regions) for pair in plan.pairs]
        pairs = Pairs(taken, reading=plan.reading)
        self._add = add
        return self.job.start(lambda: task(pairs))

    def _on_job_succeeded(self, result: Any) -> None:
        viewer = self._session.viewer
        if viewer is not None:
            with keeping_selection(viewer):
                self._add(result)

    def _show_image(self, data: np.ndarray, *, role: str, source: str, **options: Any) -> None:
        self._remove(role)
        facts = {_layers.METADATA: {"role": role, "source": source}}
        self._session.viewer.add_image(data, metadata=facts, **options)

    def _show_labels(self, data: np.ndarray, place: dict[str, Any]) -> None:
        layer = _layers.add_labels(
            self._session.viewer,
            data,
            name="Augmented labels",
            place=place,
            facts={"role": "augmentation", "source": "grid"},
        )
        layer.contour = CONTOUR

    def _remove(self, role: str) -> None:
        """Take our own layers of this role away, found by what they say of themselves, never by name."""
        layers = self._session.viewer.layers
        for layer in [one for one in layers if one.metadata.get(_layers.METADATA, {}).get("role") == role]:
            layers.remove(layer)

    def _others(self, role: str) -> list[Layer]:
        layers = self._session.viewer.layers
        return [one for one in layers if one.metadata.get(_layers.METADATA, {}).get("role") != role]


def veil() -> Colormap:
    """Return a colormap from transparent, where nothing counts, to bright."""
    colours = ensure_colormap("magma").map(np.linspace(0.2, 1, 16))
    colours[:, 3] = np.minimum(0.9, np.linspace(0, 3, 16))
    return Colormap(np.vstack([np.zeros(4), colours]), name="unetseg weights")


@contextmanager
def keeping_selection(viewer: Any) -> Iterator[None]:
    """Keep the active layer active while others are added: somebody may be painting on it."""
    active = viewer.layers.selection.active
    yield
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
