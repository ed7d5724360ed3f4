"""Arrays as lazy images: what is read, and that it goes nowhere else."""

from __future__ import annotations

import dask.array as da
import numpy as np
from dask.callbacks import Callback

from napari_unetseg.images.arrays import from_array


def test_blocks_that_are_read_do_not_fill_the_cache_of_a_viewer() -> None:
    """napari keeps the dask blocks that it computes, up to a quarter of the memory; ours would drive them out."""
    pixels = np.arange(48).reshape(6, 8)
    computed: list[object] = []
    with Callback(posttask=lambda key, *_: computed.append(key)):
        lazy = da.from_array(pixels, chunks=3)
        read = from_array(lazy, axes="YX").read(yx=(slice(1, 5), slice(2, 7)))
        assert not computed
        np.asarray(lazy)
        assert computed  # so this is how it would be seen
    np.testing.assert_array_equal(read[0, 0], pixels[1:5, 2:7])
