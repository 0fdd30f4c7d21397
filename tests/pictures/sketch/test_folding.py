"""Folding and joining units."""

from collections.abc import Iterable

import pytest

from resnet_builder.common.words import Description
from resnet_builder.pictures.sketch.folding import fold, in_rows
from resnet_builder.pictures.sketch.sketch import ENTRY, Cell, Edge, Unit
from resnet_builder.pictures.sketch.units import UnitMaker, join

pytestmark = pytest.mark.once


def cell(words: str) -> Cell:
    return Cell(Description("conv", words))


def unit(words: Iterable[str], name: str = "") -> Unit:
    """A unit of one box for every letter, one after the other."""
    maker = UnitMaker()
    end = ENTRY
    for letter in words:
        end = maker.box([cell(letter)], [end])
    return maker.unit(name)


def read(units: tuple[Unit, ...]) -> list[str]:
    """Each unit as its letters and its count."""
    return ["".join(cell.words for [cell] in u.boxes) + f" x {u.repeats}" for u in units]


@pytest.mark.parametrize(
    ("units", "folded"),
    [
        ("", []),
        ("ab c", ["ab x 1", "c x 1"]),
        ("ab ab ab", ["ab x 3"]),
        ("c ab ab d", ["c x 1", "ab x 2", "d x 1"]),
        ("a b a b a b", ["ab x 3"]),
        # Longer runs of short units beat fewer runs of long ones.
        ("a a a a", ["a x 4"]),
        ("a a b a a b c", ["aab x 2", "c x 1"]),
        ("a b a b a", ["ab x 2", "a x 1"]),
    ],
)
def test_fold(units: str, folded: list[str]) -> None:
    assert read(fold(unit(words) for words in units.split())) == folded


def test_folding_compares_each_pair_of_units_at_most_once_where_nothing_folds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []

    def equal(cell: Cell, other: object) -> bool:
        compared.append(cell)
        return cell is other

    units = [unit([str(number)]) for number in range(100)]
    monkeypatch.setattr(Cell, "__eq__", equal)
    assert len(fold(units)) == 100
    assert 0 < len(compared) <= 100**2 / 2


def test_a_folded_unit_has_the_names_of_its_first_and_last() -> None:
    [folded] = fold([unit("ab", "block2"), unit("ab", "block3"), unit("ab", "block4")])
    assert folded.title == "block2 – block4"
    assert unit("ab", "block1").title == "block1"


def test_units_with_other_edges_are_not_folded() -> None:
    with_shortcut = UnitMaker()
    first = with_shortcut.box([cell("a")], [ENTRY])
    with_shortcut.box([cell("b")], [first])
    with_shortcut.connect(ENTRY, 1, "identity")
    assert len(fold([unit("ab"), with_shortcut.unit()])) == 2
    assert with_shortcut.unit().forks
    assert not unit("ab").forks


def test_join() -> None:
    joined = join([unit("ab", "first"), unit("c", "last")])
    assert joined.edges == (Edge(ENTRY, 0), Edge(0, 1), Edge(1, 2))
    assert joined.title == "first – last"


def test_single_boxes_stand_in_one_row() -> None:
    units = [unit("a", "x"), unit("b"), unit("cd"), *fold([unit("e"), unit("e")]), unit("f")]
    assert read(in_rows(units)) == ["ab x 1", "cd x 1", "e x 2", "f x 1"]
    assert in_rows(units)[0].title == ""
