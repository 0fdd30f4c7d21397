"""feature_info: layer, stride and channels of every feature map. Imports Keras only for models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .common.tables import Table, Tabular
from .config import ResnetConfig
from .costs.activations import views
from .plan.names import OUT, STEM, Place, is_before_pool
from .plan.network import Plan, make_plan
from .presets.resolve import resolve

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class FeatureLevel:
    """A feature map of a network.

    Attributes:
        layer: name of the layer that it is the output of.
        stride: number that the input's rows and columns are divided by (and rounded up).
        channels: number of channels.

    Example:
        >>> from resnet_builder import feature_info
        >>> feature_info("resnet34")["stage2"]
        FeatureLevel(layer='stage2_block4_out', stride=8, channels=128)
    """

    layer: str
    stride: int
    channels: int


class FeatureLevels(dict[str, FeatureLevel], Tabular):
    """The feature maps of a network by name: a dict that prints as a table.

    Example:
        >>> from resnet_builder import feature_info
        >>> print(feature_info("resnet34"))
        feature    layer                stride    channels
        ---------  -----------------  --------  ----------
        stem       stem_act                  2          64
        stage1     stage1_block3_out         4          64
        stage2     stage2_block4_out         8         128
        stage3     stage3_block6_out        16         256
        stage4     stage4_block3_out        32         512
    """

    def table(self) -> Table:
        """A row for every feature map."""
        rows = tuple((name, of.layer, of.stride, of.channels) for name, of in self.items())
        return Table(header=("feature", "layer", "stride", "channels"), rows=rows)


def feature_info(
    source: "str | ResnetConfig | keras.Model", *, output_stride: int | None = None
) -> FeatureLevels:
    """List the feature maps of a network, with their layers, strides and channels.

    The names are as in `ResnetBuilder.from_preset(..., features=)`: `"stem"`, the map before the
    stem's pool, and `"stage1"`, `"stage2"`, ... Presets and configs are read from their plan,
    without building a model.

    Args:
        source: a name of `list_presets()` or `list_weights()`, a `ResnetConfig`, or a Keras model
            with one or several networks of this package, or with a model of these as a layer.
        output_stride: as in `ResnetBuilder.from_preset`; a model has its own.

    Returns:
        The levels by name, from the stem on: a dict, which prints as a table. Those of a model are
        the ones that it has; if several networks are joined in it, the names begin with the
        `layer_prefix`, as those of the layers always do. The strides are relative to the model's
        input, or to the output of a layer before the network that enlarges or resizes images.

    Raises:
        TypeError: a source of another type; `output_stride` with a model.
        ValueError: an unknown name, an output stride that the network does not reach, or a model
            without layers that are named as in this package, or with several models inside it that
            have them.

    Example:
        >>> for name, level in feature_info("resnet50", output_stride=16).items():
        ...     print(name, level.layer, level.stride, level.channels)
        stem stem_act 2 64
        stage1 stage1_block3_out 4 256
        stage2 stage2_block4_out 8 512
        stage3 stage3_block6_out 16 1024
        stage4 stage4_block3_out 16 2048
    """
    if isinstance(source, str | ResnetConfig):
        named = resolve(source)
        plan = make_plan(named.config, output_stride=output_stride or named.output_stride)
        if plan.is_known:
            return _planned_levels(plan)
        from .model.assemble import model_of

        source = model_of(plan, named.name)
    elif output_stride is not None:
        raise TypeError("output_stride is for a preset or a config; a model has its own")
    return _built_levels(source)


def _planned_levels(plan: Plan) -> FeatureLevels:
    seen = views(plan)
    return FeatureLevels(
        (name, FeatureLevel(layer.name, seen[layer.name].stride or 1, layer.output_channels))
        for name, layer in plan.features.items()
    )


def _built_levels(model: Any) -> FeatureLevels:
    from .model.graph import model_graph
    from .model.locate import check_source, end_of, model_inside, networks_of, way_to_network

    check_source(model)
    way = way_to_network(model)
    networks = networks_of(end_of(model, way))
    graph = model_graph(model, lambda layer, _: model_inside(layer) if layer in way else None)
    strides = _strides((_stride(node.layer) for node in graph), (node.inputs for node in graph))
    nodes = {id(node.layer): (node, stride) for node, stride in zip(graph, strides, strict=True)}
    levels = FeatureLevels()
    for network in networks:
        prefix = network.prefix if len(networks) > 1 else ""
        for part, layer in _last_layers(network.places).items():
            node, stride = nodes[id(layer)]
            levels[prefix + part] = FeatureLevel(layer.name, stride, node.output_shape[-1])
    return levels


def _stride(layer: Any) -> int:
    """The stride of a Keras layer; 0 if it enlarges or resizes images."""
    from keras.layers import Conv2DTranspose, Resizing, UpSampling2D

    if isinstance(layer, Conv2DTranspose | Resizing | UpSampling2D):
        return 0
    strides = getattr(layer, "strides", 1)  # an int in a layer of the user's own
    return int(strides if isinstance(strides, int) else strides[0])


def _last_layers(places: Mapping[Place, Mapping[str, Any]]) -> dict[str, Any]:
    """The last layer of the stem before its pool, and of the last block of every stage."""
    from keras.layers import Permute

    last: dict[str, Any] = {}
    for place, layers in places.items():
        for role, layer in layers.items():
            # A Permute gives the stem's map to the outside in the other order of axes.
            of_convs = is_before_pool(role) and not isinstance(layer, Permute)
            if role == OUT or (place == STEM and of_convs):
                last[place.part] = layer
    return last


def _strides(own: Iterable[int], inputs: Iterable[Sequence[int]]) -> list[int]:
    """The stride of every layer from the input on, or from the last layer with a stride of 0.

    `inputs` are the positions of the layers before.
    """
    strides: list[int] = []
    for stride, before in zip(own, inputs, strict=True):
        strides.append(stride * max((strides[position] for position in before), default=1) or 1)
    return strides
