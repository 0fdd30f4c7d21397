"""keras-hub's preset folders: a file for the backbone, one for the head, and a config."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from ..common.files import parsed_json
from .checkpoint import Checkpoint, Json, broken, check_regular, refused
from .keras_files import CONFIG_IN_ARCHIVE, WEIGHTS_IN_ARCHIVE, hdf5_file, layer_settings

# keras-hub 0.32: keras_hub/src/utils/preset_utils.py. A .keras that is a folder has the same names.
BACKBONE_FILE, HEAD_FILE, CONFIG_FILE = WEIGHTS_IN_ARCHIVE, "task.weights.h5", CONFIG_IN_ARCHIVE


@contextmanager
def preset_folder(folder: Path) -> Iterator[Checkpoint]:
    """Open the checkpoint in a preset's folder, or in a .keras that is a folder.

    The head's file and the config may be missing.

    Raises:
        ValueError: a broken file, or files without layer names that are not of a keras-hub ResNet.
        OSError: a file that cannot be read.
    """
    present = [file for file in (BACKBONE_FILE, HEAD_FILE, CONFIG_FILE) if (folder / file).exists()]
    for file in present:
        check_regular(folder / file)
    with ExitStack() as files:
        parts = [of for of in (BACKBONE_FILE, HEAD_FILE) if of in present]
        backbone, *head = (files.enter_context(hdf5_file(folder / of)) for of in parts)
        checkpoint = _joined(folder, backbone, *head)
        if CONFIG_FILE in present:
            config = (folder / CONFIG_FILE).read_bytes()
            if checkpoint.has_layer_names:
                settings = layer_settings(folder / CONFIG_FILE, config)
                checkpoint = replace(checkpoint, settings=settings)
            elif layers := _resnet_layers(folder / CONFIG_FILE, config, len(backbone.shapes)):
                checkpoint = _with_layer_names(checkpoint, layers)
        yield checkpoint


def _joined(folder: Path, backbone: Checkpoint, head: Checkpoint | None = None) -> Checkpoint:
    parts = [backbone] if head is None else [head, backbone]
    owners = {name: part for part in parts for name in part.shapes}
    if head and (twice := head.shapes.keys() & backbone.shapes):
        raise refused(folder, f"both {BACKBONE_FILE} and {HEAD_FILE} have a {min(twice)}")
    no_head = f"The folder has no {HEAD_FILE}, in which keras-hub saves the head."
    return Checkpoint(
        str(folder),
        {name: part.shapes[name] for name, part in owners.items()},
        lambda name: owners[name].read(name),
        has_layer_names=all(part.has_layer_names for part in parts),
        without_head="" if head else no_head,
        others=tuple(name for part in parts for name in part.others),
    )


# Files of Keras before 3.6, which have no layer names --------------------------------------------


def _resnet_layers(path: Path, config: bytes, most: int) -> dict[str, str]:
    """The names of a network's layers by class and number; empty if its config is none here.

    Args:
        most: a number that the network's layers cannot exceed.
    """
    try:
        described = parsed_json(config)
        if described.get("class_name") != "ResNetBackbone":
            return {}
        blocks = sum(max(n, 0) for n in described["config"]["stackwise_num_blocks"])
        if blocks > most:
            raise ValueError(f"{blocks} blocks, and the weights are {most} tensors")
        return {
            f"{layer_class}_{number}" if number else layer_class: layer
            for layer_class, layers in _layers_by_class(described["config"]).items()
            for number, layer in enumerate(layers)
        }
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise broken(path, "config of keras-hub", error) from error


def _with_layer_names(checkpoint: Checkpoint, layers: Mapping[str, str]) -> Checkpoint:
    tensors = [tensor.rpartition("/") for tensor in checkpoint.shapes]
    given = {layer for layer, _, _ in tensors}
    if given | {"dense"} != layers.keys():
        of_backbone = len(given - {"dense"})
        raise refused(
            checkpoint.name,
            f"{of_backbone} layers of its {BACKBONE_FILE} have weights, and {len(layers) - 1} of "
            f"the network in its {CONFIG_FILE}",
        )
    names = {f"{layers[layer]}/{name}": f"{layer}/{name}" for layer, _, name in tensors}
    return replace(checkpoint.renamed(names), has_layer_names=True, in_file={})


def _layers_by_class(config: Json) -> dict[str, list[str]]:
    """The layers with weights, in the order in which Keras sorts them.

    keras_hub/src/models/resnet/resnet_backbone.py and resnet_image_classifier.py. Keras sorts by
    distance from the output: a projection comes just before the last convolution of its block.
    """
    pre_activation, block_type = config["use_pre_activation"], config["block_type"]
    convolutions = 3 if block_type.startswith("bottleneck") else 2
    of_stem = [f"conv{number + 1}" for number in range(len(config["input_conv_filters"]))]
    convs = [f"{name}_conv" for name in of_stem]
    norms = [f"{name}_bn" for name in (of_stem[:-1] if pre_activation else of_stem)]
    for stage, blocks in enumerate(config["stackwise_num_blocks"]):
        for block in range(blocks):
            projects = block == 0 and (stage > 0 or block_type != "basic_block")
            roles = [*map(str, range(1, convolutions)), *"0" * projects, str(convolutions)]
            normed = ["pre_activation", *roles[: convolutions - 1]] if pre_activation else roles
            before = f"stack{stage}_block{block}"
            convs += [f"{before}_{role}_conv" for role in roles]
            norms += [f"{before}_{role}_bn" for role in normed]
    norms += ["post_bn"] * pre_activation
    return {"conv2d": convs, "batch_normalization": norms, "dense": ["predictions"]}
