"""Errors a user can act on; each message says what is wrong, with which file or layer, and what to do."""

from __future__ import annotations


class UnetSegError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(UnetSegError):
    """An image, a label map, a path or a parameter cannot be used as given."""


class ModelFileError(UnetSegError):
    """A model file is damaged, of another kind, or asks for something that is not allowed."""


class JobError(UnetSegError):
    """A running job (prediction, training, batch) cannot go on."""
