"""Published numbers of the presets, with their sources, and verify(). Does not import Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from ..common.checks import unknown
from ..common.tables import Table, Tabular
from ..common.words import INTERFACE
from ..presets.checkpoints import published as published_weights
from ..presets.networks import PRESETS
from .profile import cost_of


@dataclass(frozen=True)
class Source:
    """A publication: how it is cited, and the place in it."""

    name: str
    place: str

    def __str__(self) -> str:
        return f"{self.name}: {self.place}"


TORCHVISION = Source("torchvision", "models/resnet.py, weights metadata")
TIMM = Source("timm", "results/benchmark-infer-amp-nchw-pt113-cu117-rtx3090.csv")
TIMM_RESULTS = Source("timm", "results/results-imagenet.csv")
OSMR = Source("imgclsmob", "osmr/imgclsmob, chainer_/README.md")
KERAS_HUB = Source("keras-hub", "models/resnet/resnet_presets.py")
ORIGINAL_CODE = Source("the article", "its code, run under Keras 2")
AKAMASTER = Source("akamaster", "pytorch_resnet_cifar10, what resnet.py prints")
HE_2015 = Source("He et al. 2015", "arXiv:1512.03385, Tables 1 and 6, Figure 3")
HE_2016 = Source("He et al. 2016", "arXiv:1603.05027, Table 4")
WRN_2016 = Source("Zagoruyko 2016", "arXiv:1605.07146, Table 4")

# Reasons why a published number differs from this package's.
OPTION_A = (
    "the paper counts shortcuts without parameters; projections are 0.02 G, and plain34, "
    "without them, comes to 3.6 G"
)
CUT_OFF = "3.858 G, which the paper truncates instead of rounding"
COUNTS_BATCH_NORM = "counts the multiply-adds of batch norm as well, two for each of its outputs"
EXTRA_BATCH_NORM = "has one more batch norm of 64 channels, after its stem: 128 parameters"
THEIR_COUNT = "10.33 M; the same layers come to 10,327,706 in imgclsmob as well"

# Library -> publication of the numbers of parameters in the table of its checkpoints.
SOURCE_OF_LIBRARY = {"torchvision": TORCHVISION, "timm": TIMM_RESULTS}

# (source, quantity) -> preset -> published number; if it differs, also the counted one and why.
_NUMBERS: dict[tuple[Source, str], dict[str, str | tuple[str, str, str]]] = {
    (TORCHVISION, "macs"): {
        "resnet18": "1.814 G",
        "resnet34": "3.664 G",
        "resnet50": "4.089 G",
        "resnet101": "7.801 G",
        "resnet152": "11.514 G",
        "resnext50_32x4d": "4.23 G",
        "resnext101_32x8d": "16.414 G",
        "resnext101_64x4d": "15.46 G",
        "wide_resnet50_2": "11.398 G",
        "wide_resnet101_2": "22.753 G",
    },
    (TIMM, "parameters"): {
        "resnet200": "64.67 M",
        "resnetv2_50d": "25.57 M",
        "seresnet18": "11.78 M",
        "seresnet34": "21.96 M",
    },
    (TIMM, "macs"): {
        "resnet50": ("4.11 G", "4.09 G", COUNTS_BATCH_NORM),
        "resnet50d": ("4.35 G", "4.33 G", COUNTS_BATCH_NORM),
    },
    (OSMR, "parameters"): {
        "resnet50_v1": "25,557,032",
        "resnet101_v1": "44,549,160",
        "resnet152_v1": "60,192,808",
        "resnetv2_18": ("11,687,848", "11,687,720", EXTRA_BATCH_NORM),
        "resnetv2_34": ("21,796,008", "21,795,880", EXTRA_BATCH_NORM),
        "resnetv2_50": ("25,549,480", "25,549,352", EXTRA_BATCH_NORM),
        "resnetv2_101": ("44,541,608", "44,541,480", EXTRA_BATCH_NORM),
        "resnetv2_152": ("60,185,256", "60,185,128", EXTRA_BATCH_NORM),
        "resnext101_32x4d": "44,177,704",
        "seresnet50": "28,088,024",
        "seresnet101": "49,326,872",
        "seresnet152": "66,821,848",
        "seresnext50_32x4d": "27,559,896",
        "seresnext101_32x4d": "48,955,416",
        "resnetv2_110_cifar": "1,730,522",
        "resnetv2_164_cifar": "1,703,258",
        "resnetv2_1001_cifar": "10,327,706",
        "wrn28_10": "36,479,194",
        "wrn40_8": "35,748,314",
    },
    (KERAS_HUB, "total_parameters"): {
        "resnet50d": "25,629,512",
        "resnet101d": "44,673,864",
        "resnet152d": "60,363,592",
    },
    (ORIGINAL_CODE, "parameters"): {
        "keras_resnet18": "11,692,520",
        "keras_resnet34": "21,804,392",
        "keras_resnet50": "25,575,912",
        "keras_resnet101": "44,594,152",
        "keras_resnet152": "60,260,840",
    },
    (ORIGINAL_CODE, "total_parameters"): {
        "keras_resnet18": "11,700,328",
        "keras_resnet34": "21,819,624",
        "keras_resnet50": "25,621,352",
        "keras_resnet101": "44,691,816",
        "keras_resnet152": "60,404,584",
    },
    (AKAMASTER, "parameters"): {
        "resnet20_cifar": "269,722",
        "resnet32_cifar": "464,154",
        "resnet44_cifar": "658,586",
    },
    (HE_2015, "parameters"): {
        "resnet20_cifar": "0.27 M",
        "resnet32_cifar": "0.46 M",
        "resnet44_cifar": "0.66 M",
        "resnet56_cifar": "0.85 M",
        "resnet110_cifar": "1.7 M",
        "resnet1202_cifar": "19.4 M",
    },
    (HE_2015, "macs"): {
        "resnet18": "1.8 G",
        "plain34": "3.6 G",
        "resnet34": ("3.6 G", "3.66 G", OPTION_A),
        "resnet50_v1": ("3.8 G", "3.858 G", CUT_OFF),
        "resnet101_v1": "7.6 G",
        "resnet152_v1": "11.3 G",
    },
    (HE_2016, "parameters"): {
        "resnetv2_164_cifar": "1.7 M",
        "resnetv2_1001_cifar": ("10.2 M", "10.33 M", THEIR_COUNT),
    },
    (WRN_2016, "parameters"): {
        "wrn16_8": "11.0 M",
        "wrn22_8": "17.2 M",
        "wrn28_10": "36.5 M",
        "wrn40_1": "0.6 M",
        "wrn40_2": "2.2 M",
        "wrn40_4": "8.9 M",
        "wrn40_8": "35.7 M",
    },
}


@dataclass(frozen=True)
class Published:
    """A published number compared with the counted one.

    Attributes:
        preset: name of the preset.
        quantity: `"parameters"`, `"total_parameters"` or `"macs"`, as in `Profile`.
        ours: the number that `profile` counts.
        theirs: the number as published, with its unit and its digits.
        cited_as: the publication, in short.
        source: the publication, and the place in it.
        equal: whether the counted number, rounded to the published digits, is the published one.
        note: the reason for a difference, if it is known.
    """

    preset: str
    quantity: str
    ours: int
    theirs: str
    cited_as: str
    source: str
    equal: bool
    note: str = ""


@dataclass(frozen=True)
class Report(Tabular):
    """The published numbers compared with the counted ones; prints as a table.

    Attributes:
        rows: one row for each number.

    Example:
        >>> [row.theirs for row in verify("resnext101_64x4d").rows]
        ['83.46 M', '83,455,272', '15.46 G']
    """

    rows: tuple[Published, ...]

    @property
    def unexplained(self) -> tuple[Published, ...]:
        """The rows that differ without a known reason."""
        return tuple(row for row in self.rows if not row.equal and not row.note)

    def table(self) -> Table:
        """A row for every number, then the reasons for differences."""
        notes = list(dict.fromkeys(row.note for row in self.rows if row.note))
        sources = sorted({row.source for row in self.rows}, key=str.lower)
        rows = []
        for row in self.rows:
            verdict = "equal" if row.equal else "differs"
            if row.note:
                verdict += f" [{notes.index(row.note) + 1}]"
            quantity = row.quantity.replace("_", " ")
            rows.append((row.preset, quantity, row.ours, row.theirs, verdict, row.cited_as))
        equal = sum(row.equal for row in self.rows)
        explained = [f"[{number}] {note}" for number, note in enumerate(notes, start=1)]
        count = f"{equal} of {len(self.rows)} published numbers are equal to ours"
        if not self.rows:
            count = "no published number is known for these presets"
        return Table(
            header=("preset", "quantity", "ours", "published", "verdict", "source"),
            rows=tuple(rows),
            note="\n".join([*explained, "", *sources, "", count]).strip(),
            kinds=tuple("equal" if row.equal else "differs" for row in self.rows),
        )


def verify(pattern: str = "*") -> Report:
    """Compare the presets with all their published numbers.

    Args:
        pattern: a shell pattern of presets' names.

    Returns:
        The comparison, which prints as a table.

    Raises:
        ValueError: no preset's name matches.

    Example:
        >>> report = verify("resnext50_*")
        >>> [(row.theirs, row.equal) for row in report.rows]
        [('25.03 M', True), ('25,028,904', True), ('4.23 G', True)]
        >>> verify().unexplained
        ()
    """
    if not any(fnmatchcase(name, pattern) for name in PRESETS):
        where = f"{INTERFACE.get().presets} names them all"
        raise ValueError(unknown("preset", pattern, PRESETS, where))
    order = list(PRESETS)
    rows = sorted(_compared(pattern), key=lambda row: order.index(row.preset))
    return Report(tuple(rows))


def _compared(pattern: str) -> Iterator[Published]:
    counts = cache(cost_of)  # most presets have several numbers
    for source, quantity, preset, published in _numbers():
        if not fnmatchcase(preset, pattern):
            continue
        known = published if isinstance(published, tuple) else (published, published, "")
        theirs, expected, why = known
        ours = getattr(counts(PRESETS[preset]), quantity)
        # A reason explains only the difference it was found for.
        note = why if rounded_alike(ours, expected) else ""
        equal = rounded_alike(ours, theirs)
        cited = source.name, str(source)
        yield Published(preset, quantity, ours, theirs, *cited, equal, note)


def _numbers() -> Iterator[tuple[Source, str, str, str | tuple[str, str, str]]]:
    """The numbers above and those of the checkpoints: source, quantity, preset and number."""
    of_checkpoints = {
        (SOURCE_OF_LIBRARY[row.library], "parameters", row.preset, row.parameters)
        for row in published_weights()
        if row.parameters and row.classes == PRESETS[row.preset].classes
    }
    yield from sorted(of_checkpoints, key=str)
    for (source, quantity), numbers in _NUMBERS.items():
        for preset, published in numbers.items():
            yield source, quantity, preset, published


def rounded_alike(counted: int, published: str) -> bool:
    """Return whether a count in the published unit and digits is the published number."""
    number, _, unit = published.partition(" ")
    digits = len(number.partition(".")[2])
    return f"{counted / {'': 1, 'M': 10**6, 'G': 10**9}[unit]:,.{digits}f}" == number
