"""Print how far our answers are from those of the libraries that the weights come from.

Run it from the top of the repository with: python -m tests.weights.parity_table
"""

from resnet_builder.common.tables import Table

from .checkpoint_recipe import NETWORKS
from .test_parity import HUB_NETWORKS, error_of, keras_applications_error, keras_hub_error

KERAS_APPLICATIONS = {
    "ResNet50": "resnet50_v1",
    "ResNet101": "resnet101_v1",
    "ResNet152": "resnet152_v1",
}


def main() -> None:
    rows = []
    for network in NETWORKS:
        origin, _, preset = network.partition("_")
        rows.append((origin, preset, f"{error_of(network):.1e}"))
    for theirs, ours in KERAS_APPLICATIONS.items():
        error = keras_applications_error(theirs, ours)
        rows.append(("keras.applications", f"{theirs} into {ours}", f"{error:.1e}"))
    for preset in HUB_NETWORKS:
        row = ("keras-hub", f"{preset}, two stages", f"{keras_hub_error(preset):.1e}")
        rows.append(row)
    print(Table(header=("origin", "network", "relative error"), rows=tuple(rows)).to_markdown())


if __name__ == "__main__":
    main()
