"""Classes that a person lists, so that each has the same number in whatever annotations it occurs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from napari_unetseg.images.label_ids import number_of_word
from napari_unetseg.schema.errors import InputError


def check_list(names: Sequence[str]) -> None:
    """Refuse a list that gives a class two numbers, or a number to what is 0 or -1."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InputError(f"--classes names '{name}' twice; a class has one number, so name it once")
        if (number := number_of_word(name)) is not None:
            raise InputError(f"--classes names '{name}', which is always {number}; leave it out of the list")


def check_listed(found: Iterable[str], *, listed: Sequence[str], where: str) -> None:
    """Refuse classes that are not in the list; some that are may be missing."""
    unknown = [name for name in found if name not in listed]
    if not unknown:
        return
    close = difflib.get_close_matches(unknown[0], listed, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    others = f" (nor are {', '.join(unknown[1:])})" if len(unknown) > 1 else ""
    raise InputError(
        f"{where}: the class '{unknown[0]}' is not among --classes {','.join(listed)}{others}{hint} "
        "Add it at the end of the list, or correct its name"
    )
