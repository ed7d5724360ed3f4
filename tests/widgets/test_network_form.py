"""The choice of an architecture: its own fields, and words on what it takes."""

from __future__ import annotations

from napari_unetseg.networks import registry
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.widgets._network_form import NetworkForm, about
from napari_unetseg.widgets._train_options import COARSEST_OF_OTHERS


def test_every_architecture_can_be_chosen_and_built(qtbot) -> None:
    form = NetworkForm(NetworkConfig(width=4, depth=2))
    qtbot.addWidget(form)
    assert form.combo.count() == 1  # the others take torch, and nobody has looked yet
    form.load()
    assert [form.combo.itemText(index) for index in range(form.combo.count())] == registry.names()
    assert form.value() == NetworkConfig(width=4, depth=2)
    for name in registry.names():
        assert all(COARSEST_OF_OTHERS % step == 0 for step in registry.divisor(NetworkConfig(architecture=name)))
        form.combo.setCurrentText(name)
        assert form.value().architecture == name
        registry.build(form.value())  # fields that it does not have are left as they are


def test_a_change_is_told_once(qtbot) -> None:
    form = NetworkForm(NetworkConfig(width=4))
    qtbot.addWidget(form)
    form.show()
    with qtbot.waitSignal(form.changed) as told:
        form.form.set_value(NetworkConfig(width=8))
    assert told.args == [NetworkConfig(width=8)]
    assert form.about.text() == about(NetworkConfig(width=8))


def test_the_words_tell_size_and_dimensions() -> None:
    assert "large ones in tiles, blended" in about(NetworkConfig(architecture="gcn"))
    text = about(NetworkConfig())
    assert "blended" not in text
    assert "2D and 3D" in text
    assert "1,942,340 parameters" in text
    assert "MiB for a million pixels" in text


def test_the_settings_of_the_chosen_architecture_are_shown(qtbot) -> None:
    form = NetworkForm(NetworkConfig(width=4, settings={"groups": 2}))
    qtbot.addWidget(form)
    assert form.value().settings == {"groups": 2}  # not looked at yet
    form.load()
    assert form.value().settings == {"groups": 2}
    assert form.settings is not None
    options = {"attention", "residual", "groups", "skips", "upsampling", "activation", "padding_mode"}
    assert options <= form.settings._fields.keys()
    with qtbot.waitSignal(form.changed):
        form.settings._fields["attention"].native.setChecked(True)
    form.form._fields["dropout"].native.setValue(0.5)
    assert form.value() == NetworkConfig(width=4, dropout=0.5, settings={"groups": 2, "attention": True})
    form.combo.setCurrentText("gcn")
    assert form.value().settings == {}
    assert form.value().dropout == 0
    form.settings._fields["kernel"].native.setValue(4)
    assert "odd" in form.settings.problem
    form.set_value(NetworkConfig(architecture="unet_plus_plus", settings={"keep": 2}))
    assert form.value().settings == {"keep": 2}
