"""Count the presets, for the commands that list and compare them: writes `costs/counts.csv`.

python -m tools.counts
"""

import csv

from resnet_builder import PRESETS
from resnet_builder.costs.profile import LISTED, cost_of


def main() -> None:
    """Write the file."""
    with LISTED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["preset", "parameters", "macs", "total_parameters"])
        for name, config in PRESETS.items():
            cost = cost_of(config)
            writer.writerow([name, cost.parameters, cost.macs, cost.total_parameters])


if __name__ == "__main__":
    main()
