"""The whole way through the real docks: open a sample, segment, paint, train, segment with the own model, save."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_unetseg.images.read import read_labels
from napari_unetseg.models import library
from napari_unetseg.sample_data import cells_2d
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._io import write_labels_tiff
from napari_unetseg.widgets._segment_session import SegmentSession
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets.segment import SegmentDock
from napari_unetseg.widgets.train import SCRATCH, TrainDock

STEPS = 20
WAIT = 120_000


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    yield viewer
    session_of(viewer, SegmentSession).shut_down()


def test_from_a_sample_to_an_own_model_and_a_file(viewer, qtbot, tmp_path) -> None:
    for data in cells_2d():
        viewer.add_layer(Layer.create(*data))
    image, truth = viewer.layers["nuclei"], viewer.layers["nuclei truth"]

    segment = SegmentDock(viewer)
    qtbot.addWidget(segment)
    with qtbot.waitSignal(segment.session.job.finished, timeout=WAIT):
        segment.run.click()
    result = viewer.layers["nuclei labels"]
    count = len(result.features)
    assert count == pytest.approx(truth.data.max(), rel=0.2)  # the bundled model knows such nuclei

    painted = _layers.new_labels(viewer, image)
    for label in range(1, 6):
        painted.data_setitem(np.nonzero(truth.data == label), label)
    train = TrainDock(viewer)
    qtbot.addWidget(train)
    train.start.set_value(SCRATCH)
    train.options.network.set_value(NetworkConfig(width=2, depth=1))
    train.options.run.set_value(train.options.run.value().replace(steps=STEPS, network=NetworkConfig()))
    train.options.patch.setValue(64)
    assert train.pairs.painted().objects == 5
    with qtbot.waitSignal(train.session.job.finished, timeout=WAIT):
        train.train.click()
    train.session.shut_down()
    (path,) = library.user_folder().glob("*.safetensors")
    assert train.session.history.step == STEPS

    segment.model.set_value(path.stem)
    with qtbot.waitSignal(segment.session.job.finished, timeout=WAIT):
        segment.run.click()
    assert viewer.layers["nuclei labels"] is result
    assert result.metadata["unetseg"]["model"] == path.stem
    own = result.data.copy()
    result.undo()
    assert len(np.unique(result.data)) == count + 1  # what the bundled model found is one step back
    result.redo()
    np.testing.assert_array_equal(result.data, own)

    saved = tmp_path / "own.ome.tif"
    assert write_labels_tiff(str(saved), *result.as_layer_data_tuple()[:2]) == [str(saved)]
    np.testing.assert_array_equal(read_labels(saved), own)
