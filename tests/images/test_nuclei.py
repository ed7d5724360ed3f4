"""The population: spacing, contacts and divisions, on spheres whose geometry is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images import nuclei as population

RADIUS = 10.0


def _spheres(*positions: tuple[float, float, float]) -> np.ndarray:
    """Spheres of radius 10 at (z, y, x), in the middle of their cycle."""
    nuclei = np.zeros(len(positions), population.NUCLEUS)
    nuclei["id"] = np.arange(1, len(positions) + 1)
    nuclei["position"] = np.reshape(positions, (-1, 3))
    nuclei["axes"] = RADIUS
    nuclei["age"] = nuclei["clock"] = 30
    return nuclei


def test_overlapping_nuclei_are_pushed_apart_evenly_and_others_stay() -> None:
    nuclei = _spheres((0, 0, 0), (0, 0, 8), (0, 100, 100))
    population.relax(nuclei, rounds=50, spacing=1.0)
    np.testing.assert_allclose(nuclei["position"], [[0, 0, -6], [0, 0, 14], [0, 100, 100]], atol=0.2)


def test_two_equal_spheres_meet_in_the_middle() -> None:
    contacts = population.contacts(_spheres((0, 0, 0), (0, 16, 0), (0, 0, 60)), overlap=0.0)
    assert contacts.of(0) == [([0.0, 1.0, 0.0], pytest.approx(8.0))]
    assert contacts.of(1) == [([0.0, -1.0, 0.0], pytest.approx(8.0))]
    assert contacts.of(2) == []


def test_contacts_turn_with_the_ellipsoid() -> None:
    nuclei = _spheres((0, 0, 0), (0, 14, 0))
    nuclei["axes"] = [10.0, 5.0, 20.0]
    nuclei["angle"] = [0.0, np.pi / 2]  # minor axis of the first and major axis of the second lie along Y
    (normal, reach), *_ = population.contacts(nuclei, overlap=0.5).of(0)
    assert normal == pytest.approx([0, 1, 0])
    assert reach == pytest.approx(14 * 5 / 25 + 0.5)


def test_one_nucleus_has_no_contacts_and_an_empty_population_is_fine() -> None:
    assert population.contacts(_spheres((0, 0, 0)), overlap=0.0).of(0) == []
    empty = _spheres()
    population.relax(empty, rounds=3)
    assert len(population.contacts(empty, overlap=0.0).normals) == 0


def test_a_mother_becomes_two_daughters_beside_each_other() -> None:
    nuclei = _spheres((0, 50, 50), (0, 200, 200))
    nuclei["clock"][0] = 1
    assert population.is_mitotic(nuclei).tolist() == [True, False]
    rng = np.random.default_rng(0)
    later = population.advance(nuclei, diameter=20, is_3d=False, next_id=7, rng=rng)
    assert later["id"].tolist() == [2, 7, 8]
    assert np.linalg.norm(later["position"][1:].mean(axis=0) - [0, 50, 50]) < 5
    assert np.linalg.norm(later["position"][1] - later["position"][2]) > 8
    assert (later["position"][:, 0] == 0).all()  # nothing leaves the plane in 2D
    assert population.is_mitotic(later).tolist() == [False, True, True]
    assert len(nuclei) == 2  # the frame before is untouched


def test_a_population_fills_the_box_and_its_margin_with_few_overlaps() -> None:
    rng = np.random.default_rng(0)
    nuclei = population.populate((0.0, 200.0, 200.0), diameter=20, density=0.25, rng=rng)
    assert len(nuclei) == round(0.25 * 240 * 240 / (np.pi / 4 * 400))
    assert len(np.unique(nuclei["id"])) == len(nuclei)
    gaps = np.linalg.norm(nuclei["position"][:, None] - nuclei["position"], axis=2)[np.triu_indices(len(nuclei), 1)]
    assert gaps.min() > 8
