"""An image as grey values to look at, with the outlines of its objects in colours that tell neighbours apart."""

from __future__ import annotations

import numpy as np

# Okabe & Ito's colours, told apart by colour-blind readers; blue and black are left out, too dark on a dark image.
COLOURS = np.array(
    [(230, 159, 0), (86, 180, 233), (240, 228, 66), (213, 94, 0), (0, 190, 140), (214, 139, 187)], np.uint8
)


def stretch(image: np.ndarray) -> np.ndarray:
    """Return `image` as float32 in [0, 1], its 1st and 99.8th percentile at the ends, dark parts lifted a little."""
    values = np.asarray(image, np.float32)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99.8]) if finite.size else (0.0, 1.0)
    scaled = np.clip((np.nan_to_num(values) - low) / max(float(high - low), 1e-6), 0, 1)
    grey: np.ndarray = (scaled**0.7).astype(np.float32)
    return grey


def distinct_colours(labels: np.ndarray) -> np.ndarray:
    """Return a colour for each id, (ids, 3) uint8, such that neighbours differ as far as the palette allows."""
    from skimage.segmentation import expand_labels

    near: dict[int, set[int]] = {}
    wide = expand_labels(labels, distance=8)  # type: ignore[no-untyped-call] # scikit-image
    for one, other in ((wide[1:], wide[:-1]), (wide[:, 1:], wide[:, :-1])):
        touching = (one != other) & (one > 0) & (other > 0)
        for a, b in {*zip(one[touching].tolist(), other[touching].tolist(), strict=True)}:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
    chosen = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for number, label in enumerate(np.unique(labels[labels > 0]).tolist()):
        taken = {int(chosen[neighbour]) for neighbour in near.get(label, ()) if neighbour < label}
        turns = [(number + step) % len(COLOURS) for step in range(len(COLOURS))]  # not always the first free one
        chosen[label] = next((colour for colour in turns if colour not in taken), turns[0])
    colours: np.ndarray = COLOURS[chosen]
    return colours


def outlined(grey: np.ndarray, labels: np.ndarray, *, colours: np.ndarray, zoom: int = 1) -> np.ndarray:
    """Return an image in [0, 1] as RGB, `zoom` times enlarged, the rim of object i in `colours[i]`.

    `grey` is (Y, X), or (Y, X, 3) for an image in colours. Outlines are closed where the image ends.
    """
    from scipy.ndimage import binary_dilation
    from scipy.ndimage import zoom as enlarge
    from skimage.segmentation import find_boundaries

    if zoom > 1:
        grey = enlarge(grey, (zoom, zoom, 1)[: grey.ndim], order=1, grid_mode=True, mode="nearest")
        labels = labels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    values = (np.clip(grey, 0, 1) * 255).astype(np.uint8)
    picture = values if grey.ndim == 3 else np.repeat(values[..., None], 3, axis=-1)
    rim = find_boundaries(np.pad(labels, 1), mode="inner")[1:-1, 1:-1]  # type: ignore[no-untyped-call] # scikit-image
    if zoom > 1:  # two pixels thick, still inside the object
        rim = binary_dilation(rim)
    rim &= labels > 0
    picture[rim] = colours[labels[rim]]
    return picture
