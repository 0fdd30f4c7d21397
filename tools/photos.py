"""Draw the photographs of the how-tos, and ask timm what it sees.

    python -m tools.photos [--timm]

docs/photo.jpg: a photograph, and what a network of 224x224 pixels sees of it.
docs/augmented.jpg: a photograph, and seven variants that it is shown as in training.
tests/data/parity/timm_resnet18d.photograph.npy, with --timm, which needs timm and PyTorch: the
logits of timm's network for the photograph, as timm prepares it, with the weights of the tests.

The photograph is scikit-learn's china.jpg, by danielbuechele, under CC BY 2.0.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

from resnet_builder import augmentation, preprocessing
from tests.weights.checkpoint_recipe import PARITY, checkpoint

DOCS = Path(__file__).parents[1] / "docs"
SIZE, GAP = 224, 12
ASKED = "timm_resnet18d"


def seen_part(photograph: npt.NDArray[np.uint8]) -> Image.Image:
    """The photograph with a frame, and the pixels of the part in the frame."""
    seen = preprocessing(size=SIZE, mean=0, std=1)(photograph[np.newaxis])[0]
    pixels = Image.fromarray((np.asarray(seen) * 255).round().astype("uint8"))

    rows, columns = photograph.shape[:2]
    side = 0.875 * min(rows, columns)  # the default of preprocessing's crop_pct
    left, top = (columns - side) / 2, (rows - side) / 2
    image = Image.fromarray(photograph)
    draw = ImageDraw.Draw(image)
    for width, colour in ((6, "black"), (2, "white")):
        draw.rectangle((left, top, left + side, top + side), outline=colour, width=width)

    figure = Image.new("RGB", (columns + GAP + rows, rows), "white")
    figure.paste(image, (0, 0))
    figure.paste(pixels.resize((rows, rows), Image.Resampling.NEAREST), (columns + GAP, 0))
    return figure


def variants(photograph: npt.NDArray[np.uint8]) -> Image.Image:
    """Two rows of four images: the whole photograph first."""
    augment = augmentation("he2015", (SIZE, SIZE, 3))
    images = [Image.fromarray(photograph).resize((SIZE, SIZE))]
    for number in range(7):
        pixels = augment.image(photograph, [1, number])
        images.append(Image.fromarray(np.asarray(pixels).round().astype("uint8")))
    step = SIZE + GAP
    figure = Image.new("RGB", (4 * step - GAP, 2 * step - GAP), "white")
    for place, image in enumerate(images):
        figure.paste(image, (place % 4 * step, place // 4 * step))
    return figure


def logits_of_timm(photograph: npt.NDArray[np.uint8], network: str) -> npt.NDArray[np.float32]:
    """What timm's network gives for the photograph."""
    import timm
    import torch

    model = timm.create_model(network.removeprefix("timm_")).eval()
    weights = {name: torch.tensor(value) for name, value in checkpoint(network).items()}
    model.load_state_dict(weights)
    prepare = timm.data.create_transform((3, SIZE, SIZE), interpolation="bicubic", crop_pct=0.875)
    with torch.no_grad():
        found = model(prepare(Image.fromarray(photograph))[np.newaxis])
    return np.asarray(found)


def main() -> None:
    photograph = load_sample_images().images[0]
    if "--timm" in sys.argv:
        logits = logits_of_timm(photograph, ASKED)
        np.save(PARITY / f"{ASKED}.photograph.npy", logits)
        return
    for name, figure in (("photo", seen_part), ("augmented", variants)):
        figure(photograph).save(DOCS / f"{name}.jpg", quality=80, optimize=True)


if __name__ == "__main__":
    main()
