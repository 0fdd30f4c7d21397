"""The pictures of the how-tos that are SVG in the page, in place of `<!-- picture -->`.

They have the colours of the theme, and their words are translated by the dictionary of the site.
Numbers are the library's, or those of a table that `python -m tools.howto_data` or
`python -m tools.exports` has written.
"""

import re
from collections.abc import Callable, Sequence
from html import escape
from math import log10
from typing import NamedTuple

from resnet_builder import list_weights, profile
from resnet_builder.weights.origins import WRITTEN

from . import table_of

PICTURE = "<!-- picture -->"
WIDTH = 380
LINE = 15  # height of a line of text
CODE = re.compile("`([^`]+)`")


class Drawn(NamedTuple):
    """Elements of SVG, and the height that they take."""

    svg: str
    height: float


def drawing(page: str) -> str:
    """The picture of a how-to.

    Args:
        page: its name, such as `"unet"`.

    Raises:
        KeyError: it has none here.
    """
    alt, draw = DRAWINGS[page]
    svg, height = draw()
    caption = f"<figcaption>{CAPTIONS[page]}</figcaption>" if page in CAPTIONS else ""
    return (
        f'<figure class="howto" data-search-exclude><svg viewBox="0 0 {WIDTH} {height:.0f}" '
        f'role="img" aria-label="{escape(alt)}">{svg}</svg>{caption}</figure>'
    )


# Elements ---------------------------------------------------------------------------------------


def _text(x: float, y: float, words: object, kind: str = "", anchor: str = "middle") -> str:
    """One line of words; those between backticks are code."""
    shown = CODE.sub(r'<tspan class="code">\1</tspan>', escape(str(words)))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{_class(kind)}>{shown}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} rx="3"{_class(kind)}/>'


def _line(points: Sequence[tuple[float, float]], kind: str) -> str:
    return _path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), f"line {kind}")


def _path(d: str, kind: str) -> str:
    return f'<path d="{d}"{_class(kind)}/>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """An arrow downwards, by an elbow if it is not straight."""
    bend = f"V{(y + to_y) / 2:.1f}H{to_x:.1f}" if x != to_x else ""
    head = _path(f"M{to_x - 4:.1f} {to_y - 7:.1f}h8l-4 7z", "head")
    return _path(f"M{x:.1f} {y:.1f}{bend}V{to_y - 6:.1f}", "line") + head


def _axis(x: float, top: float, bottom: float, words: object) -> str:
    """A line of the grid with its number below."""
    return _path(f"M{x:.1f} {top}V{bottom}", "grid") + _text(x, bottom + 15, words, "soft")


def _level(y: float, left: float, words: object) -> str:
    """A line of the grid with its number beside it."""
    beside = _text(left - 6, y + 4, words, "soft", "end")
    return _path(f"M{left} {y:.1f}H{WIDTH - 8}", "grid") + beside


# Boxes with arrows ------------------------------------------------------------------------------


def _flow(rows: str, left: float = 0, width: float = WIDTH) -> Drawn:
    """Boxes in rows, with arrows from each row to the next one.

    Args:
        rows: a line for each row, with ` | ` between boxes and ` / ` between the lines of a box.
            In parentheses is a file, in brackets a network. A line that begins with a colon is
            words beside the arrow.
        left: where it begins.
        width: of all of it.
    """
    parts: list[str] = []
    before: list[float] = []
    y, note = 1.0, ""
    for row in rows.strip().splitlines():
        if row.startswith(": "):
            note = row.removeprefix(": ")
            continue
        boxes = row.split(" | ")
        room = (width - 8 * (len(boxes) - 1)) / len(boxes)
        centres = [left + room / 2 + number * (room + 8) for number in range(len(boxes))]
        gap = (44 if note else 24) if before else 0
        for n in range(max(len(before), len(centres)) if before else 0):
            most = max(len(before), len(centres))
            start, end = (each[n * len(each) // most] for each in (before, centres))
            parts.append(_arrow(start, y + (18 if note else 0), end, y + gap))
        if note:
            parts.append(_text(left + width / 2, y + 14, note, "soft"))
        y += gap
        texts = [box.strip("()[]").split(" / ") for box in boxes]
        height = max(map(len, texts)) * LINE + 10
        for centre, box, lines in zip(centres, boxes, texts, strict=True):
            kind = {"(": "box file", "[": "box network"}.get(box[0], "box")
            parts.append(_box(centre - room / 2 + 1, y, room - 2, height, kind))
            top = y + (height - LINE * len(lines)) / 2
            parts += (_text(centre, top + LINE * n - 4, line) for n, line in enumerate(lines, 1))
        before, note = centres, ""
        y += height
    return Drawn("".join(parts), y + 1)


def _flow_of(rows: str) -> Callable[[], Drawn]:
    return lambda: _flow(rows)


def _two_networks() -> Drawn:
    """A flow for each of the page's two models."""
    body = sum(of.parameters for of in profile("resnet18").stages if of.name != "head")
    size = f"{body / 10**6:.1f} M"
    flows = {
        "Two networks": f"""
colour | depth map
[`colour_` / {size}] | [`depth_` / {size}]
512 + 512 numbers
10 classes""",
        "A Siamese network": """
one image | another image
[one network, / called twice]
vector | vector
similarity""",
    }
    half = WIDTH / 2 - 10
    parts: list[str] = []
    heights = []
    for left, (title, rows) in zip((0, WIDTH - half), flows.items(), strict=True):
        flow = _flow(rows, left, half)
        parts += (_text(left + half / 2, -8, title, "title"), flow.svg)
        heights.append(flow.height)
    return Drawn(f'<g transform="translate(0 22)">{"".join(parts)}</g>', 22 + max(heights))


# Drawings of numbers ----------------------------------------------------------------------------


NAMED = {
    "timm, torchvision": "torchvision's or timm's ResNet",
    "transformers": "transformers' ResNet",
    "keras.applications": "keras.applications' ResNet",
    "keras-hub": "keras-hub's ResNet",
    "detectron2": "detectron2's ResNet",
}


def _names() -> Drawn:
    """One tensor by the names of some libraries, and here."""
    origins = {origin.name: origin for origin in WRITTEN}
    weight = ("stage2_block1_conv2", "kernel")
    parts: list[str] = []
    for number, (libraries, origin) in enumerate(NAMED.items()):
        y = 14 + 40 * number
        parts += (
            _text(18, y, libraries, "soft", "start"),
            _text(18, y + 16, f"`{origins[origin].whole_tensor(weight)}`", "", "start"),
            _path(f"M6 {y + 11}h8", "line"),
        )
    end = 14 + 40 * len(NAMED)
    parts += (
        _arrow(6, 25, 6, end),
        _box(1, end, WIDTH - 2, LINE + 12, "box network"),
        _text(WIDTH / 2, end + 18, "`{}`".format("/".join(weight))),
    )
    return Drawn("".join(parts), end + LINE + 13)


def _fine_tuning() -> Drawn:
    """What is trained in each phase, and how fast with rates=0.7."""
    stages = profile("resnet18", (64, 64, 3), classes=3).stages
    room = WIDTH / len(stages)
    frozen = [f"stage{n}" for n in (1, 2, 3)] + ["stem"]
    rates = [0.7 ** (len(stages) - 1 - n) for n in range(len(stages))]
    phases = {
        '1. `freeze(model, until="stage3")`': [float(of.name not in frozen) for of in stages],
        "2. `unfreeze(model)`": [1.0] * len(stages),
        "`rates=0.7`": rates,
    }
    parts = [
        _text(room * (n + 0.5), y, words, kind)
        for n, of in enumerate(stages)
        for y, words, kind in (
            (12, of.name, "title"),
            (28, _thousands(of.parameters), "soft"),
        )
    ]
    y = 40
    for phase, shares in phases.items():
        parts.append(_text(2, y + 14, phase, "", "start"))
        for n, share in enumerate(shares):
            x = room * n + 2
            parts.append(_box(x, y + 22, room - 4, 26, "box"))
            if share:
                shade = f'<g opacity="{0.25 + 0.75 * share:.2f}">'
                parts.append(f"{shade}{_box(x, y + 22, room - 4, 26, 'group0')}</g>")
            words = "frozen" if not share else "1" if share == 1 else f"{share:.2f}"
            parts.append(_text(x + room / 2 - 2, y + 39, words, "" if share < 0.6 else "inverse"))
        y += 58
    return Drawn("".join(parts), y)


def _thousands(number: int) -> str:
    return f"{number / 10**6:.1f} M" if number >= 10**5 else f"{number:,}"


def _embeddings() -> Drawn:
    """The digits as points, by t-SNE."""
    size, margin = WIDTH, 12
    parts = [_box(1, 1, size - 2, size - 2)]
    for row in table_of("embeddings.csv"):
        x, y = (margin + float(row[axis]) * (size - 2 * margin) for axis in "xy")
        kind = f"group{row['digit']}" + (" new" if int(row["digit"]) >= KNOWN else "")
        parts.append(_text(x, y + 5, row["digit"], kind))
    return Drawn("".join(parts), size)


KNOWN = 7  # the digits below it are those that tools/howto_data.py trains on


def _sizes() -> Drawn:
    """The top-1 of a network at two sizes, and how far a sample may be off."""
    found = [
        (row.tag, row.input_size[0], row.top1, row.test_input_size[0], row.test_top1)
        for row in list_weights("resnet50").rows
        if row.library == "timm" and row.is_free
        if row.top1 and row.test_top1 and row.test_input_size
    ]
    found.sort(key=lambda row: -row[4])
    left, right, low, high = 80, WIDTH - 76, 75, 82

    def at(top1: float) -> float:
        return left + (top1 - low) / (high - low) * (right - left)

    bottom = 20 * len(found) + 8
    parts = [_axis(at(top1), 4, bottom, f"{top1}%") for top1 in range(low, high + 1)]
    for number, (tag, size, top1, test_size, test_top1) in enumerate(found):
        y = 16 + 20 * number
        parts += (
            _text(left - 8, y + 4, f"`{tag}`", "", "end"),
            _line([(at(top1), y), (at(test_top1), y)], "thick soft"),
            f'<circle class="hollow" cx="{at(top1):.1f}" cy="{y}" r="4"/>',
            f'<circle class="group0" cx="{at(test_top1):.1f}" cy="{y}" r="4"/>',
            _text(WIDTH, y + 4, f"{size} → {test_size}", "soft", "end"),
        )
    deviation = 100 * (0.8 * 0.2 / 2000) ** 0.5
    y = bottom + 40
    parts += (
        _line([(at(80 - deviation), y), (at(80 + deviation), y)], "thick group1"),
        _text(at(80), y + 18, "± standard error of 2,000 images", "soft"),
    )
    return Drawn("".join(parts), y + 26)


def _exports() -> Drawn:
    """The times of exported networks, as multiples of Keras's."""
    readers = {
        "ONNX": "onnxruntime",
        "LiteRT": "phones, small boards",
        "SavedModel": "TensorFlow Serving",
        "PyTorch": "PyTorch, without Keras",
    }
    left, low, high = 150, log10(0.13), log10(1.6)

    def at(share: float) -> float:
        return left + (log10(share) - low) / (high - low) * (WIDTH - left - 8)

    bottom = 44 * len(readers)
    ticks = {0.25: "1/4", 0.5: "1/2", 1: "Keras"}
    parts = [_axis(at(share), 4, bottom, words) for share, words in ticks.items()]
    measured = [row for row in table_of("exports.csv") if row["seconds"]]
    for number, (name, reader) in enumerate(readers.items()):
        y = 26 + 44 * number
        parts += (
            _text(0, y - 2, name, "title", "start"),
            _text(0, y + 14, reader, "soft", "start"),
        )
        for row in measured:
            if row["format"] == name:
                x = at(float(row["seconds"]) / float(row["keras_seconds"]))
                shown = f"<title>{row['preset']}</title>"
                parts.append(
                    f'<circle class="group{number}" cx="{x:.1f}" cy="{y}" r="5">{shown}</circle>'
                )
    parts.append(_text((left + WIDTH) / 2, bottom + 32, "time of an image", "soft"))
    return Drawn("".join(parts), bottom + 40)


def _bits() -> Drawn:
    """The bits of three types of numbers: range and digits."""
    types = {"float32": (8, 23), "bfloat16": (8, 7), "float16": (5, 10)}
    parts: list[str] = []
    room, y = WIDTH / 32, 0.0
    for name, (exponent, fraction) in types.items():
        most = 2 ** (exponent - 1) - 1
        smallest, largest = 2.0 ** (1 - most), (2 - 2.0**-fraction) * 2.0**most
        digits = (fraction + 1) * log10(2)
        parts += (
            _text(0, y + 14, f"`{name}`", "title", "start"),
            _text(WIDTH, y + 14, f"{_power(smallest)} … {_power(largest)}", "soft", "end"),
        )
        widths = {"group8": 1, "group1": exponent, "group0": fraction}
        x = 0.0
        for kind, bits in widths.items():
            for _ in range(bits):
                parts.append(_box(x + 0.5, y + 22, room - 1, 20, kind))
                x += room
        precision = f"about {digits:.0f} digits"
        below = 58 if exponent + fraction > 20 else 37
        parts.append(_text(WIDTH, y + below, precision, "", "end"))
        y += 72
    words = {"group8": "sign", "group1": "exponent: the range", "group0": "fraction: the digits"}
    return Drawn("".join(parts) + _legend(y, words, 0), y + 20 * len(words) - 8)


def _power(number: float) -> str:
    """In digits, or as a power of ten."""
    if 1 <= number < 10**6:
        return f"{number:,.0f}"
    digit, exponent = f"{number:.0e}".split("e")
    power = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return power if digit == "1" else f"{digit}·{power}"


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _stages() -> Drawn:
    """How the parameters and the multiply-adds of a network are spread over its stages."""
    stages = profile("resnet50").stages
    middle, half = WIDTH / 2, WIDTH / 2 - 76
    parameters = sum(of.parameters for of in stages)
    macs = sum(of.macs or 0 for of in stages)
    parts = [
        _text(middle - 30, 12, f"{parameters / 10**6:.1f} M parameters", "title", "end"),
        _text(middle + 30, 12, f"{macs / 10**9:.1f} G multiply-adds", "title", "start"),
    ]
    for number, of in enumerate(stages):
        y = 22 + 26 * number
        parts.append(_text(middle, y + 15, of.name))
        for share, side, kind in (
            (of.parameters / parameters, -1, "group0"),
            ((of.macs or 0) / macs, 1, "group1"),
        ):
            length = 2 * half * share
            start = middle + 28 * side
            parts.append(_box(min(start, start + side * length), y, length, 20, kind))
            anchor = "end" if side < 0 else "start"
            parts.append(_text(start + side * (length + 5), y + 15, f"{share:.0%}", "soft", anchor))
    return Drawn("".join(parts), 26 + 26 * len(stages))


def _resumed() -> Drawn:
    """The loss of a run that was interrupted, resumed in two ways."""
    rows = table_of("resumed.csv")
    left, top, bottom = 44, 24, 200
    last = len(rows)
    killed = sum(not row["resumed"] for row in rows)
    values = [float(row[name]) for row in rows for name in ("whole", "weights") if row[name]]
    low, high = log10(min(values)) - 0.05, log10(max(values)) + 0.05

    def at(epoch: float) -> float:
        return left + epoch / last * (WIDTH - left - 20)

    def up(loss: float) -> float:
        return bottom - (log10(loss) - low) / (high - low) * (bottom - top)

    def points(name: str) -> list[tuple[float, float]]:
        known = [(at(n), up(float(row[name]))) for n, row in enumerate(rows, 1) if row[name]]
        joined = (at(killed), up(float(rows[killed - 1]["whole"])))
        return known if name == "whole" else [joined, *known]

    ticks = [tick for tick in (0.001, 0.01, 0.1) if low < log10(tick) < high]
    parts = [_level(up(tick), left, f"{tick:g}") for tick in ticks]
    parts += (_axis(at(epoch), bottom, bottom, epoch) for epoch in range(0, last + 1, 4))
    parts += (
        _path(f"M{at(killed):.1f} {top - 4}V{bottom}", "line dashed"),
        _text(at(killed), top - 10, "interrupted", "soft"),
        _line(points("weights"), "thick stroke1"),
        _line(points("whole"), "thick stroke0"),
        *(
            f'<circle class="group0" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
            for x, y in points("resumed")
        ),
        _text((left + WIDTH) / 2, bottom + 32, "epoch", "soft"),
        _text(left - 6, top - 10, "loss", "soft", "end"),
    )
    return Drawn("".join(parts) + _legend(bottom + 52, RESUMED), bottom + 52 + 20 * len(RESUMED))


RESUMED = {
    "stroke0": "without interruption",
    "group0": "`restore_backup`: the same losses",
    "stroke1": "only the weights are loaded",
}


def _legend(y: float, words: dict[str, str], x: float = 44) -> str:
    parts: list[str] = []
    for number, (kind, text) in enumerate(words.items()):
        line = y + 20 * number
        mark = (
            f'<circle class="{kind}" cx="{x + 9}" cy="{line}" r="4"/>'
            if kind.startswith("group")
            else _line([(x, line), (x + 18, line)], f"thick {kind}")
        )
        parts += (mark, _text(x + 26, line + 4, text, "", "start"))
    return "".join(parts)


SCHEDULES = {
    "stroke0": "he2015",
    "stroke1": "he2015_cifar",
    "stroke2": "wrn2016",
    "stroke3": "bag_of_tricks",
}
STEPS = 400


def _schedules() -> Drawn:
    """The learning rate over the training, as a share of the highest."""
    left, top, bottom = 44, 12, 190

    def at(time: float) -> float:
        return left + time * (WIDTH - left - 20)

    def up(rate: float) -> float:
        return bottom - rate * (bottom - top)

    parts = [_level(up(rate), left, f"{rate:g}") for rate in (0, 0.5, 1)]
    parts += (_axis(at(time), bottom, bottom, f"{time:.0%}") for time in (0, 0.25, 0.5, 0.75, 1))
    for kind, name in SCHEDULES.items():
        rates = [(at(time), up(rate)) for time, rate in _rates(name)]
        parts.append(_line(rates, f"thick {kind}"))
    parts.append(_text((left + WIDTH) / 2, bottom + 32, "time", "soft"))
    words = {kind: f"`{name}`" for kind, name in SCHEDULES.items()}
    height = bottom + 52
    return Drawn("".join(parts) + _legend(height, words), height + 20 * len(words))


def _rates(name: str) -> list[tuple[float, float]]:
    """Times and rates of a recipe, without those between two equal ones."""
    from resnet_builder.training.recipes import RECIPES, decreasing  # which loads Keras

    schedule = decreasing(RECIPES[name], 1.0, STEPS)
    rates = [float(schedule(step)) for step in range(STEPS + 1)]
    return [
        (step / STEPS, rate)
        for step, rate in enumerate(rates)
        if {rate} != {*rates[max(step - 1, 0) : step + 2]} or step in (0, STEPS)
    ]


# Name, size and channels of a map of the encoder, and channels of the decoder's map of that size.
# A test compares them with the network's.
MAPS = (
    ("image", 256, 3, 16),
    ("stem", 128, 64, 32),
    ("stage1", 64, 64, 64),
    ("stage2", 32, 128, 128),
    ("stage3", 16, 256, 256),
    ("stage4", 8, 512, 0),
)


def _unet() -> Drawn:
    """The maps of the encoder and of the decoder, with what joins them."""
    side, step = 146, 50
    left, right = side / 2 + 1, WIDTH - side / 2 - 1
    parts = [_text(left, 12, "encoder", "title"), _text(right, 12, "decoder", "title")]
    for number, (name, size, channels, filters) in enumerate(MAPS):
        y = 22 + step * number
        middle = y + 14
        parts += (
            _box(1, y, side, 28, "box network" if number else "box"),
            _text(left, y + 18, f"{name}: {size}x{size}x{channels}"),
        )
        if number:
            parts.append(_arrow(left, y - 22, left, y))
        if not filters:  # the last map goes up to the decoder
            parts.append(_path(f"M{side + 1} {middle}H{right}V{y - 16}", "line"))
            continue
        parts += (
            _box(right - side / 2, y, side, 28, "box decoder"),
            _text(right, y + 18, f"{size}x{size}x{filters}"),
            _path(f"M{right} {y + step}V{y + 34}", "line"),
            _path(f"M{right - 4} {y + 35}h8l-4 -7z", "head"),
        )
        if number:
            end = right - side / 2
            parts.append(_path(f"M{side + 1} {middle}H{end - 7}", "line dashed"))
            parts.append(_path(f"M{end - 7} {middle - 4}v8l7 -4z", "head"))
    return Drawn("".join(parts), 22 + step * len(MAPS) - 20)


# What one must know to read a picture.
CAPTIONS = {
    "checkpoints": (
        "The kernel of one convolution of ResNet-50, as five libraries name it, and here."
    ),
    "embeddings": (
        "Test digits, placed by t-SNE of their vectors. The network was trained on 0 to 6 only; it "
        "has never seen the underlined ones."
    ),
    "evaluate": (
        "The top-1 of checkpoints of ResNet-50 at their own input size (hollow) and at a larger "
        "one, as timm publishes them."
    ),
    "export": "A point for each of the twelve networks in the table; smaller is faster.",
    "fine_tuning": (
        "ResNet-18 with three classes: its parts, their parameters, and their share of the "
        "learning rate."
    ),
    "resume": (
        "The loss on the training digits, of ResNet-8 with the recipe he2015_cifar. With the "
        "weights alone, schedule and momentum begin anew, and the run takes another course."
    ),
    "training": "The learning rate, as a share of the highest.",
    "unet": "ResNet-18 as the encoder, for 256x256 pixels: rows, columns and channels of each map.",
}

# Name of a how-to -> what its picture says, and what draws it.
DRAWINGS: dict[str, tuple[str, Callable[[], Drawn]]] = {
    "backends": (
        "One program for three backends: Keras computes with TensorFlow, JAX or PyTorch, and the "
        "files of one backend load on the others",
        _flow_of("""
[networks, recipes, pictures, numbers]
Keras
: `KERAS_BACKEND`
TensorFlow | JAX | PyTorch
: every file loads on all three
(`.keras`, `.weights.h5`, safetensors)"""),
    ),
    "checkpoints": (
        "The kernel of one convolution by its names in five libraries: the names in a file show "
        "which library it is from, and where each tensor belongs",
        _names,
    ),
    "embeddings": (
        "A map of embeddings: images of the same digit are near each other, also of 7, 8 and 9, "
        "which the network has never seen",
        _embeddings,
    ),
    "evaluate": (
        "The top-1 of ResNet-50's checkpoints at two input sizes: all are better at the larger "
        "one, most by about as much as the standard error of 2,000 images",
        _sizes,
    ),
    "experiment_config": (
        "to_json writes the network's description beside the other settings of an experiment, and "
        "from_json builds the network again with the saved weights",
        _flow_of("""
[the network]
`to_json` | `save_weights`
(`experiment.json` / seed, recipe, network) | (`network.weights.h5`)
: later, on another machine
`from_json`
[the same network, with the same weights]"""),
    ),
    "export": (
        "The time of an image in four formats as a share of Keras's, twelve networks each: ONNX "
        "takes about half, PyTorch's program about two thirds, the others about the same",
        _exports,
    ),
    "fine_tuning": (
        "What is trained: first stage4 and the head, then every part; with rates=0.7, each part "
        "has 0.7 of the learning rate of the part after it",
        _fine_tuning,
    ),
    "mixed_precision": (
        "The bits of three types: bfloat16 has the range of float32 and fewer digits, float16 has "
        "more digits and a small range",
        _bits,
    ),
    "numbers": (
        "ResNet-50 by stages: most parameters are in stage4, while the multiply-adds are spread "
        "over all stages",
        _stages,
    ),
    "resume": (
        "Loss over epochs: with restore_backup a run goes on as if it had not been interrupted; "
        "with the weights only, the schedule begins anew, and the run takes another course",
        _resumed,
    ),
    "several_devices": (
        "A batch is shared out over the devices, each has the same weights; their gradients are "
        "averaged, and all take the same step",
        _flow_of("""
a batch of 64 images
16 images | 16 images | 16 images | 16 images
[network] | [network] | [network] | [network]
: batch norm: mean and variance over all 64
gradient | gradient | gradient | gradient
: averaged
the same step on every device"""),
    ),
    "share": (
        "save_pretrained writes four files into a folder, which this library, timm and the "
        "Hugging Face Hub take",
        _flow_of("""
[a trained network]
: `save_pretrained`
(`model.safetensors` weights / `config.json` network, classes, preprocessing \
/ `README.md` model card / `architecture.png` picture)
`from_preset` | timm | Hugging Face Hub"""),
    ),
    "training": (
        "The learning rate over the training, as a share of the highest: in steps for he2015, "
        "he2015_cifar and wrn2016, a warm-up and a cosine for bag_of_tricks",
        _schedules,
    ),
    "two_networks": (
        "Two networks with weights of their own in one model, and a Siamese network: one network "
        "that is called twice",
        _two_networks,
    ),
    "unet": (
        "A U-Net on ResNet-18 for 256x256 pixels: the encoder halves the map five times, the "
        "decoder doubles it again and joins the encoder's map of each size",
        _unet,
    ),
}
