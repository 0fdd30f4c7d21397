"""fold_batch_norm: the same function with fewer layers, for inference."""

from collections.abc import Iterable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import keras

from ..common.tables import Table, Tabular
from ..model.deep import room_for, without_tensorflow
from ..model.graph import functional
from ..model.keras_layers import Tensor
from ..model.locate import check_model
from .folds import Fold, find_folds, has_graph
from .linear import Affine, affine, folded_weights, with_bias


@dataclass(frozen=True)
class FoldingRow:
    """What becomes of one batch norm.

    Attributes:
        batch_norm: its name, after the names of the models that contain it: `"body/stem_bn"`.
        into: name of the layer that takes it in; empty if none can.
        reason: why it stays; empty if it does not.
    """

    batch_norm: str
    into: str
    reason: str


@dataclass(frozen=True)
class FoldingReport(Tabular):
    """The batch norms of a model, and what `fold_batch_norm` does with each; prints as a table.

    Attributes:
        name: name of the model.
        rows: one for each batch norm.

    Example:
        >>> from resnet_builder import ResnetBuilder, folding_report
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> report = folding_report(ResnetBuilder.from_preset("wrn16_4", **small))
        >>> {row.batch_norm: row.into for row in report.rows if row.into}
        {'stage1_block1_bn1': 'stem_conv', 'stage1_block1_bn2': 'stage1_block1_conv1'}
        >>> report.rows[-1].reason
        'after stage1_block1_add (Add); before head_act (Activation)'
    """

    name: str
    rows: tuple[FoldingRow, ...]

    @property
    def summary(self) -> str:
        """The numbers in words."""
        if not self.rows:
            return "no batch norms"
        folded = sum(not row.reason for row in self.rows)
        return f"{folded} of {len(self.rows)} batch norms folded"

    def table(self) -> Table:
        """A row for each batch norm."""
        return Table(
            title=f"{self.name}: {self.summary}",
            header=("batch norm", "folded into", "stays because it is"),
            rows=tuple((row.batch_norm, row.into, row.reason) for row in self.rows),
        )


def folding_report(model: keras.Model) -> FoldingReport:
    """Say which batch norms `fold_batch_norm` folds, and why it leaves the others.

    Raises:
        TypeError, ValueError: as in `fold_batch_norm`.

    Example:
        >>> from resnet_builder import ResnetBuilder, folding_report
        >>> folding_report(ResnetBuilder.from_preset("resnet18")).summary
        '20 of 20 batch norms folded'
    """
    check_model(model)
    rows = (
        FoldingRow(fold.path, fold.into.name if fold.into else "", fold.obstacle)
        for fold in find_folds(model)
    )
    return FoldingReport(model.name, tuple(rows))


@without_tensorflow()
def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Copy a model with its batch norms folded into convolutions and dense layers, for inference.

    Outside of training a batch norm scales and shifts each channel by numbers that are known
    (arXiv:1502.03167, algorithm 2). A linear layer next to it can do both with its kernel and bias:

    * The layer before it, if it has no activation and nothing else uses its output: a convolution,
      also a grouped, depthwise, separable or transposed one, or a dense layer.
    * The layer after it, if nothing else uses the batch norm: the same layers but separable and
      transposed ones, and only if they pad with zeros nothing that is shifted.

    All other layers are copied, and so are batch norms that cannot be folded, such as those between
    an addition and an activation in pre-activation networks, those that are called in training mode
    or several times, and those inside a layer that calls them itself. `folding_report` lists them,
    with the reason. Functional models inside the model are folded as well.

    Args:
        model: any functional or sequential Keras model.

    Returns:
        A functional model with the same inputs, outputs and names of layers, not compiled. The
        outputs outside of training are the model's, to about 1e-6 of the largest in float32; a
        convolution and its batch norm have the convolution's name. It is saved and loaded like any
        model. It takes checkpoints of folded models only: load others first, then fold. Trained
        further, it is a network without these batch norms, and without the regularisers of the
        layers that took them in.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model without a graph of layers: a subclass of `keras.Model` with its own
            `call`, or a sequential model that is not built.

    Example:
        >>> from resnet_builder import ResnetBuilder, fold_batch_norm
        >>> model = ResnetBuilder.from_preset("resnet50")
        >>> len(model.weights), len(fold_batch_norm(model).weights)
        (267, 108)
    """
    check_model(model)
    copies = _Copies(find_folds(model))
    copy = copies.of_model(model)
    copies.fill()
    return copy


class _Copies:
    """Copies of layers, each made once, so that what is shared stays shared."""

    def __init__(self, folds: Iterable[Fold]):
        self.absorbed: set[int] = set()
        self.affines: dict[int, dict[str, Affine]] = {}
        for fold in folds:
            if fold.into:
                self.absorbed.add(id(fold.norm))
                side = "before" if fold.comes_first else "after"
                self.affines.setdefault(id(fold.into), {})[side] = affine(fold.norm)
        self.made: dict[int, tuple[keras.Layer, keras.Layer]] = {}

    def of_model(self, model: keras.Model) -> keras.Model:
        """Copy a model without its weights; `fill` copies the weights of all layers."""
        function = functional(model)
        with room_for(layers=3 * len(model.layers)):
            # A plain functional model: clone_model would compile the copy of a compiled one.
            plain = keras.Model(function.input, function.output, name=model.name)
            return keras.models.clone_model(
                plain, _new_inputs(function), self.of_layer, call_function=self.call
            )

    def of_layer(self, layer: keras.Layer) -> keras.Layer:
        """The copy of a layer; an absorbed batch norm is left to `call`."""
        if id(layer) in self.absorbed:
            return layer
        if id(layer) not in self.made:
            self.made[id(layer)] = layer, self.new(layer)
        return self.made[id(layer)][1]

    def new(self, layer: keras.Layer) -> keras.Layer:
        if has_graph(layer):
            return self.of_model(layer)
        if id(layer) in self.affines:
            return with_bias(layer)
        return _new(layer)

    def call(self, layer: keras.Layer, *inputs: Tensor, **options: Tensor) -> Tensor:
        if id(layer) in self.absorbed:
            return inputs[0] if inputs else options["inputs"]
        return layer(*inputs, **options)

    def fill(self) -> None:
        for layer, copy in self.made.values():
            if affines := self.affines.get(id(layer)):
                copy.set_weights(folded_weights(layer, **affines))
            elif not has_graph(layer):
                _copy_state(layer, copy)


def _new(layer: keras.Layer) -> keras.Layer:
    """A new layer with the same settings."""
    return type(layer).from_config(layer.get_config())


def _copy_state(layer: keras.Layer, copy: keras.Layer) -> None:
    """Give a copy the weights of a layer, and what the layer has learned from data by `adapt`."""
    if getattr(layer, "weights", ()):
        copy.set_weights(layer.get_weights())
    if hasattr(layer, "adapt"):
        # Numbers and vocabularies beside the weights, as Keras saves and loads them.
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        copy.load_own_variables(store)
        if hasattr(layer, "save_assets"):
            with TemporaryDirectory() as folder:
                layer.save_assets(folder)
                copy.load_assets(folder)


def _new_inputs(function: keras.Model) -> Tensor:
    """New inputs like a model's; Keras itself would give them other default names."""
    of_tensor = {
        id(layer.output): layer
        for layer in function.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    return keras.tree.map_structure(lambda x: _new(of_tensor[id(x)]).output, function.input)
