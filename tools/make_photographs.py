"""Write a folder of 200 JPEGs of 500x375 pixels, for `train.py --data FOLDER --measure`.

python -m tools.make_photographs FOLDER

They are noise of all scales, as photographs are, and as large as those of ImageNet: 110 kB.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

ROWS, COLUMNS = 375, 500


def photograph(random: np.random.Generator) -> Image.Image:
    """Noise whose larger scales are stronger."""
    pixels = np.zeros((ROWS, COLUMNS, 3))
    for scale in 2 ** np.arange(9):
        noise = random.standard_normal((-(-ROWS // scale), -(-COLUMNS // scale), 3)) * scale**0.35
        for channel in range(3):
            layer = Image.fromarray(noise[..., channel].astype("float32"))
            resized = layer.resize((COLUMNS, ROWS), Image.Resampling.BICUBIC)
            pixels[..., channel] += np.asarray(resized)
    pixels = 120 + 60 * (pixels - pixels.mean()) / pixels.std()  # ImageNet's mean and deviation
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def main() -> None:
    """Write them where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    random = np.random.Generator(np.random.PCG64(0))
    for number in range(200):
        path = folder / f"class{number % 2}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(random).save(path, quality=95)
    sizes = [path.stat().st_size for path in folder.rglob("*.jpg")]
    print(f"{len(sizes)} images of {sum(sizes) / len(sizes) / 1000:.0f} kB on average in {folder}")


if __name__ == "__main__":
    main()
