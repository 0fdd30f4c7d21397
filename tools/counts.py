"""Count the presets, for the command that lists them: writes `costs/counts.csv`.

python -m tools.counts
"""

import csv
from pathlib import Path

import resnet_builder
from resnet_builder import PRESETS
from resnet_builder.costs.profile import cost_of

FILE = Path(resnet_builder.__file__).parent / "costs" / "counts.csv"


def main() -> None:
    """Write the file."""
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["preset", "parameters", "macs"])
        for name, config in PRESETS.items():
            cost = cost_of(config)
            writer.writerow([name, cost.parameters, cost.macs])


if __name__ == "__main__":
    main()
