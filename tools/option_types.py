"""Write the types of options for editors and type checkers: src/resnet_builder/options.pyi.

    python -m tools.option_types

They are the fields of `ResnetConfig` and the options of `ResnetBuilder.from_preset`, as types of
`**options`. A test compares the file with these.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

import resnet_builder

PACKAGE = Path(resnet_builder.__file__).parent
STUB = PACKAGE / "options.pyi"

HEAD = '''"""Types of options for type checkers and editors, written by `tools/option_types.py`."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from .config import (
    ActivationName,
    ActivationOrder,
    AntiAliasingName,
    Biases,
    BlockFunction,
    BlockName,
    HeadPoolName,
    NormName,
    Padding,
    ProjectionName,
    StemName,
    StemPoolName,
)
from .plan.network import Pooling

'''

# What a field takes, where it is more than what it keeps.
TAKEN = {
    "repetitions": "Sequence[int]",
    "block": "BlockName | BlockFunction | list[BlockName] | tuple[BlockName, ...]",
    "filters": "int | list[int] | tuple[int, ...]",
    "widths": "Sequence[Sequence[Sequence[int]]] | None",
    "kernel_initializer": "Any",
    "classifier_initializer": "Any",
    "input_shape": "Sequence[int | None]",
}

# The options of `from_preset` that are those of a network for a task as well.
OF_ENCODER = ("adapt_weights", "data_format", "dtype", "name", "layer_prefix")

# What `compile_recipe` hands on: arguments of the optimizers and of `compile`, with their types in
# Keras's documentation, but for those that it has itself.
OF_KERAS = {
    "beta_2": "float",
    "epsilon": "float",
    "amsgrad": "bool",
    "clipnorm": "float | None",
    "clipvalue": "float | None",
    "global_clipnorm": "float | None",
    "use_ema": "bool",
    "ema_momentum": "float",
    "ema_overwrite_frequency": "int | None",
    "loss_scale_factor": "float | None",
    "gradient_accumulation_steps": "int | None",
    "name": "str",
    "loss_weights": "Any",
    "run_eagerly": "bool",
    "steps_per_execution": "int",
    "auto_scale_loss": "bool",
}


def option_types() -> str:
    """The text of the stub."""
    variations = fields() | TAKEN
    blocks = {name: variations.pop(name) for name in ("repetitions", "block")}
    sizes = {name: variations.pop(name) for name in ("input_shape", "classes")}
    of_end = {"activation": variations.pop("activation")}  # in heads/, that of the pixels' classes
    optional = {name: f"NotRequired[{kind}]" for name, kind in sizes.items()}
    of_encoder = {name: kind for name, kind in build_options().items() if name in OF_ENCODER}
    classes = {
        "EncoderVariations(TypedDict, total=False)": variations,
        "Variations(EncoderVariations, total=False)": of_end,
        "ConfigChanges(Variations, total=False)": blocks,
        "Changes(ConfigChanges, total=False)": sizes,
        "ConfigFields(Variations)": blocks | optional,
        "BuildOptions(Variations, total=False)": build_options(),
        "PresetOptions(BuildOptions, ConfigChanges, total=False)": {},
        "JsonOptions(PresetOptions, total=False)": sizes,
        "EncoderOptions(EncoderVariations, total=False)": blocks | of_encoder,
        "CompileOptions(TypedDict, total=False)": OF_KERAS,
    }
    return HEAD + "\n".join(_class(head, options) for head, options in classes.items())


def fields() -> dict[str, str]:
    """The fields of `ResnetConfig`, with their types."""
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in _class_body("config", "ResnetConfig")
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def build_options() -> dict[str, str]:
    """The options of `ResnetBuilder.from_preset` but for the fields, with their types."""
    methods = (n for n in _class_body("builder", "ResnetBuilder") if isinstance(n, ast.FunctionDef))
    from_preset = next(method for method in methods if method.name == "from_preset")
    options = from_preset.args.kwonlyargs
    kinds = {of.arg: ast.unparse(of.annotation) for of in options if of.annotation}
    return {name: kind.strip("'") for name, kind in kinds.items()}  # of names for checkers only


def _class_body(module: str, name: str) -> list[ast.stmt]:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return next(node.body for node in classes if node.name == name)


def _class(head: str, options: Mapping[str, str]) -> str:
    lines = [f"    {name}: {kind}\n" for name, kind in options.items()]
    return f"class {head}:\n{''.join(lines)}" if lines else f"class {head}: ...\n"


if __name__ == "__main__":
    STUB.write_text(option_types(), encoding="utf-8")
