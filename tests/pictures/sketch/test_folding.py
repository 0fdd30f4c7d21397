"""Folding and joining panels."""

from collections.abc import Iterable

import pytest

from resnet_builder.common.words import Description
from resnet_builder.pictures.sketch.sketch import ENTRY, Cell, Edge, Panel
from resnet_builder.pictures.sketch.transforms import fold, in_rows, join

from ..panel_maker import PanelMaker


def cell(words: str) -> Cell:
    return Cell(Description("conv", words))


def panel(words: Iterable[str], name: str = "") -> Panel:
    """A chain of boxes, one for each letter."""
    maker = PanelMaker()
    end = ENTRY
    for letter in words:
        end = maker.box([cell(letter)], [end])
    return maker.panel(name)


def read(panels: tuple[Panel, ...]) -> list[str]:
    """The letters and the count of each panel."""
    return ["".join(cell.words for [cell] in p.boxes) + f" x {p.repeats}" for p in panels]


@pytest.mark.parametrize(
    ("panels", "folded"),
    [
        ("", []),
        ("ab c", ["ab x 1", "c x 1"]),
        ("ab ab ab", ["ab x 3"]),
        ("c ab ab d", ["c x 1", "ab x 2", "d x 1"]),
        ("a b a b a b", ["ab x 3"]),
        # The period that leaves the fewest boxes is chosen.
        ("a a a a", ["a x 4"]),
        ("a a b a a b c", ["aab x 2", "c x 1"]),
        ("a b a b a", ["ab x 2", "a x 1"]),
    ],
)
def test_equal_consecutive_panels_are_folded(panels: str, folded: list[str]) -> None:
    assert read(fold(panel(words) for words in panels.split())) == folded


def test_folding_hashes_every_panel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []

    def counted(cell: Cell) -> int:
        hashed.append(cell)
        return id(cell)

    panels = [panel([str(number)]) for number in range(100)]
    monkeypatch.setattr(Cell, "__hash__", counted)
    assert len(fold(panels)) == 100
    assert len(hashed) == 100


def test_a_folded_panel_is_named_after_its_first_and_last() -> None:
    [folded] = fold([panel("ab", "block2"), panel("ab", "block3"), panel("ab", "block4")])
    assert folded.title == "block2 – block4"
    assert panel("ab", "block1").title == "block1"


def test_panels_with_other_edges_are_not_folded() -> None:
    with_shortcut = PanelMaker()
    first = with_shortcut.box([cell("a")], [ENTRY])
    with_shortcut.box([cell("b")], [first])
    with_shortcut.connect(ENTRY, 1, "identity")
    assert len(fold([panel("ab"), with_shortcut.panel()])) == 2
    assert with_shortcut.panel().forks
    assert not panel("ab").forks


def test_joined_panels_are_connected() -> None:
    joined = join([panel("ab", "first"), panel("c", "last")])
    assert joined.edges == (Edge(ENTRY, 0), Edge(0, 1), Edge(1, 2))
    assert joined.title == "first – last"


def test_consecutive_single_boxes_are_joined() -> None:
    repeated = fold([panel("e"), panel("e")])
    panels = [panel("a", "x"), panel("b"), panel("cd", "y"), *repeated, panel("f")]
    assert read(in_rows(panels)) == ["ab x 1", "cd x 1", "e x 2", "f x 1"]
    assert in_rows(panels)[0].title == ""


def test_chains_without_a_name_are_joined() -> None:
    forked = PanelMaker()
    for letter in "cd":
        forked.box([cell(letter)], [ENTRY])
    panels = [panel("a"), panel("bc"), forked.panel(), panel("e"), panel("fg")]
    assert read(in_rows(panels)) == ["abc x 1", "cd x 1", "efg x 1"]
