# The public names, and where they live: read by type checkers and, at run time, by lazy_loader.
from .blocks import basic_block as basic_block
from .blocks import bottleneck as bottleneck
from .builder import ResnetBuilder as ResnetBuilder
from .comparing import Comparison as Comparison
from .comparing import compare as compare
from .config import ResnetConfig as ResnetConfig
from .lesions import along_paths as along_paths
from .lesions import reordered as reordered
from .lesions import without_blocks as without_blocks
from .paths import path_lengths as path_lengths
from .plotting import plot as plot
from .presets import PRESETS as PRESETS
from .presets import list_presets as list_presets
from .profiles import Profile as Profile
from .profiling import profile as profile
from .published import Report as Report
from .published import verify as verify
from .training.freezing import freeze as freeze
from .training.freezing import unfreeze as unfreeze
from .training.recipes import RECIPES as RECIPES
from .training.recipes import compile_recipe as compile_recipe
from .weights.decoding import decode as decode
from .weights.loading import WeightsReport as WeightsReport
from .weights.loading import load_weights as load_weights
from .weights.preprocessing import preprocessing as preprocessing

__all__: list[str]
__version__: str
