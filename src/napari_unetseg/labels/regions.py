"""Score the regions that membranes or other borders enclose, as the ISBI challenge of 2012 did."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

THICKEST = 20
"""Pixels of a border into which regions grow, so that its thickness counts for nothing."""


def regions_of(background: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the face-connected regions 1..n of the background."""
    regions = np.zeros(background.shape, np.int32)
    ndimage.label(background, output=regions)
    return regions


def region_errors(found: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    """Return the errors of a partition `found` over the pixels of true regions (Arganda-Carreras et al. 2015).

    Both hold ids of regions, with 0 for borders, into which those found are grown first. `rand_error` is 1 - F of pairs
    of pixels (the adapted Rand error), `voi_split` and `voi_merged` are the parts of the variation of information, in
    bits: of true regions cut into several, and of several in one. All are 0 where there is no true region.
    """
    from skimage.metrics import adapted_rand_error, variation_of_information
    from skimage.segmentation import expand_labels

    if not truth.any():
        return {"rand_error": 0.0, "voi_split": 0.0, "voi_merged": 0.0}
    grown = expand_labels(found, THICKEST)  # type: ignore[no-untyped-call]  # scikit-image
    with np.errstate(invalid="ignore"):  # regions of single pixels have no pairs, and no error in them
        rand_error = float(adapted_rand_error(truth, grown, ignore_labels=(0,))[0])  # type: ignore[no-untyped-call]
    split, merged = variation_of_information(truth, grown, ignore_labels=(0,))  # type: ignore[no-untyped-call]
    return {
        "rand_error": 0.0 if math.isnan(rand_error) else rand_error,
        "voi_split": float(split),
        "voi_merged": float(merged),
    }
