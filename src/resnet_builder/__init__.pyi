# The public names and their modules: read by type checkers and, at run time, by lazy_loader.
from .builder import ResnetBuilder as ResnetBuilder
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .config import ResnetConfig as ResnetConfig
from .costs.profile import profile as profile
from .costs.published import Report as Report
from .costs.published import verify as verify
from .costs.report import Profile as Profile
from .costs.report import StageProfile as StageProfile
from .description import config_of as config_of
from .features import FeatureLevel as FeatureLevel
from .features import FeatureLevels as FeatureLevels
from .features import feature_info as feature_info
from .inference.folding import FoldingReport as FoldingReport
from .inference.folding import fold_batch_norm as fold_batch_norm
from .inference.folding import folding_report as folding_report
from .lesions.models import along_paths as along_paths
from .lesions.models import reordered as reordered
from .lesions.models import without_blocks as without_blocks
from .lesions.paths import path_lengths as path_lengths
from .model.article import basic_block as basic_block
from .model.article import bottleneck as bottleneck
from .pictures.diagram import Diagram as Diagram
from .pictures.plot import plot as plot
from .presets.networks import PRESETS as PRESETS
from .presets.networks import list_presets as list_presets
from .presets.published_weights import PublishedWeights as PublishedWeights
from .training.freezing import freeze as freeze
from .training.freezing import unfreeze as unfreeze
from .training.preparing import prepare as prepare
from .training.recipes import RECIPES as RECIPES
from .training.recipes import Recipe as Recipe
from .training.recipes import compile_recipe as compile_recipe
from .weights.decoding import Guess as Guess
from .weights.decoding import decode as decode
from .weights.listing import WeightsList as WeightsList
from .weights.listing import list_weights as list_weights
from .weights.loading import load_weights as load_weights
from .weights.preprocessing import preprocessing as preprocessing
from .weights.report import WeightsReport as WeightsReport

__all__: list[str]
__version__: str
