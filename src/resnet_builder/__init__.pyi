# The public names, and where they live: read by type checkers and, at run time, by lazy_loader.
from .blocks import basic_block as basic_block
from .blocks import bottleneck as bottleneck
from .builder import ResnetBuilder as ResnetBuilder
from .config import ResnetConfig as ResnetConfig
from .plotting import plot as plot
from .presets import PRESETS as PRESETS
from .presets import list_presets as list_presets

__all__: list[str]
__version__: str
