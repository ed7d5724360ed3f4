"""What is varied by `accuracy.py`: changes of the default recipe, and of how its maps become objects."""

from __future__ import annotations

from typing import Any

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    # the weight map: without, and as in the authors' later plugin for Fiji (Falk et al. 2019: 50 and 6 px)
    "no boundary weights": {"weights": {"w0": 0.0}},
    "w0 50, sigma 6": {"weights": {"w0": 50.0, "sigma": 6.0}},
    "no class balance": {"weights": {"balance": 0.0}},
    "full class balance": {"weights": {"balance": 1.0}},
    # augmentation
    "no elastic": {"augmentation": {"elastic": 0.0}},
    "elastic 5": {"augmentation": {"elastic": 5.0}},
    "no geometry": {"augmentation": {"probability": 0.0}},
    "geometry in 0.6": {"augmentation": {"probability": 0.6}},
    "no scale": {"augmentation": {"scale": 0.0}},
    "no intensity": {
        "augmentation": {"gamma": 0.0, "brightness": 0.0, "contrast": 0.0, "blur": 0.0, "noise": 0.0},
    },
    "as for nuclei": {
        "augmentation": {"probability": 0.6, "elastic": 4.0, "gamma": 0.5, "contrast": 0.6},
    },
    # what is learnt, and by which loss
    "boundary classes": {"target": {"kind": "boundary"}, "network": {"out_channels": 3}},
    "distance": {"target": {"kind": "distance"}, "network": {"out_channels": 3}},
    "thick boundaries": {"target": {"boundary_width": 2}},
    "with dice": {"loss": {"kind": "cross_entropy_dice"}},
    "less distance": {"loss": {"distance_weight": 0.3}},
    "focal": {"loss": {"kind": "focal"}},
    # the network and its schedule
    "width 8": {"network": {"width": 8}},
    "width 24": {"network": {"width": 24}},
    "width 32": {"network": {"width": 32}},
    "depth 3": {"network": {"depth": 3}},
    "depth 5": {"network": {"depth": 5}},
    "patch 128": {"patch": (128, 128)},
    "patch 256": {"patch": (256, 256)},
    "batch 8": {"batch": 8},
    "rate 3e-3": {"learning_rate": 3e-3},
    "rate 3e-4": {"learning_rate": 3e-4},
    "no average": {"ema": 0.0},
    "short average": {"ema": 0.98},
    "no validation": {"validation": 0.0},
}

SETS: dict[str, dict[str, Any]] = {
    # two volumes of different kinds: none can be spared to choose the best weights by
    "cells_3d": {"validation": 0.0, "network": {"ndim": 3, "flat_levels": 1}, "normalization": {"scope": "stack"}},
}
"""What a data set needs besides."""

DECODING: dict[str, dict[str, Any]] = {
    "": {},
    "one object a piece": {"min_seed": 1_000_000},  # connected components: no watershed
    "8 views": {"views": 8},  # mirrored and turned
}
