"""One nucleus: its section, its light, and the planes where it meets its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images import bodies, nuclei

PLAIN = bodies.Texture(amplitude=0.0, spots=0, spot_strength=0.0)


def _field(*, is_3d: bool = True) -> bodies.Field:
    heights = np.arange(40 if is_3d else 1, dtype=np.float32)
    return bodies.Field(shape=(40, 40), heights=heights, texture=PLAIN, seed=0, is_3d=is_3d)


def _nucleus(*position: float) -> np.void:
    nucleus = np.zeros(1, nuclei.NUCLEUS)
    nucleus["id"], nucleus["position"], nucleus["axes"], nucleus["brightness"] = 5, position, 8.0, 1.0
    nucleus["age"] = nucleus["clock"] = 30
    return nucleus[0]


@pytest.fixture(autouse=True)
def _no_dents(monkeypatch) -> None:
    """Let `_columns` draw no dents, so that a nucleus is the ellipsoid of its axes."""
    inner = bodies._columns

    class Still:
        def normal(self, mean: float, sigma: float, size: tuple[int, ...]) -> np.ndarray:
            return np.zeros(size)

        def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
            return np.zeros(size)

    monkeypatch.setattr(bodies, "_columns", lambda *a, rng, **k: inner(*a, rng=Still(), **k))


def _mask(body: bodies.Body, z: float) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[body.window] = body.section(z)
    return mask


def test_sections_are_those_of_a_sphere() -> None:
    body = bodies.build(_nucleus(20.0, 20.0, 20.0), cuts=[], field=_field())
    assert body is not None
    z, y, x = np.indices((40, 40, 40)) - 20
    sphere = z**2 + y**2 + x**2 < 63.9  # strictly inside: the border voxels are rounded
    grown = z**2 + y**2 + x**2 < 64.1
    ours = np.stack([_mask(body, float(height)) for height in range(40)])
    assert (ours >= sphere).all()
    assert (ours <= grown).all()
    assert body.top == pytest.approx(28.0)


def test_a_cut_ends_the_body_along_z_and_across() -> None:
    level = bodies.build(_nucleus(20.0, 20.0, 20.0), cuts=[([1.0, 0.0, 0.0], 3.5)], field=_field())
    upright = bodies.build(_nucleus(20.0, 20.0, 20.0), cuts=[([0.0, 0.0, -1.0], 2.5)], field=_field())
    assert level is not None
    assert upright is not None
    assert _mask(level, 23.0).any()
    assert not _mask(level, 24.0).any()
    assert np.flatnonzero(_mask(upright, 20.0).any(axis=0)).tolist() == list(range(18, 28))


def test_two_cut_bodies_never_share_a_voxel() -> None:
    pair = np.array([_nucleus(20.0, 15.0, 20.0), _nucleus(22.0, 25.0, 23.0)])
    planes = nuclei.contacts(pair, overlap=0.0)
    built = [bodies.build(n, cuts=planes.of(i), field=_field()) for i, n in enumerate(pair)]
    shared = [_mask(built[0], float(z)) & _mask(built[1], float(z)) for z in range(40)]
    assert not np.any(shared)


def test_light_spreads_along_z_but_its_sum_stays() -> None:
    body = bodies.build(_nucleus(20.0, 20.0, 20.0), cuts=[], field=_field())
    assert body is not None
    column = [body.light(float(z), blur=2.0)[8 + 4, 8 + 4] for z in range(-20, 60)]
    sharp = [body.section(float(z))[8 + 4, 8 + 4] for z in range(-20, 60)]
    assert column[0] == pytest.approx(0, abs=1e-6)
    assert sum(column) > 0.5 * sum(sharp) > 0


def test_a_nucleus_outside_is_none_and_one_at_the_border_is_cropped() -> None:
    assert bodies.build(_nucleus(0.0, -30.0, 20.0), cuts=[], field=_field()) is None
    body = bodies.build(_nucleus(0.0, 0.0, 39.0), cuts=[], field=_field(is_3d=False))
    assert body is not None
    assert body.corner[0] == 0
    assert body.section(0.0).shape == body.light(0.0, blur=None).shape
    assert _mask(body, 0.0)[0, 39]


def test_condensed_nuclei_are_brighter() -> None:
    usual = _nucleus(0.0, 20.0, 20.0)
    condensed = usual.copy()
    condensed["clock"] = 0.5
    pair = [bodies.build(n, cuts=[], field=_field(is_3d=False)) for n in (usual, condensed)]
    assert pair[1].brightness > 2 * pair[0].brightness


def test_largest_component_by_hand() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:4, :4] = True
    mask[4, 4] = True  # touches by its corner
    stray = mask.copy()
    stray[7, 7] = True
    np.testing.assert_array_equal(bodies.largest_component(stray), mask)
    np.testing.assert_array_equal(bodies.largest_component(mask), mask)
    assert not bodies.largest_component(np.zeros((4, 4), bool)).any()
    assert not bodies.largest_component(np.eye(3, dtype=bool)).any()  # under MIN_VISIBLE
