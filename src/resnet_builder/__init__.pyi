# The public names and their modules: read by type checkers and, at run time, by lazy_loader.
from .builder import ResnetBuilder as ResnetBuilder
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .config import ResnetConfig as ResnetConfig
from .costs.profile import Profile as Profile
from .costs.profile import StageProfile as StageProfile
from .costs.profile import path_lengths as path_lengths
from .costs.profile import profile as profile
from .costs.published import Report as Report
from .costs.published import verify as verify
from .features import FeatureLevel as FeatureLevel
from .features import FeatureLevels as FeatureLevels
from .features import feature_info as feature_info
from .inference.folding import FoldingReport as FoldingReport
from .inference.folding import fold_batch_norm as fold_batch_norm
from .inference.folding import folding_report as folding_report
from .inference.images import Guess as Guess
from .inference.images import decode as decode
from .inference.images import preprocessing as preprocessing
from .lesions import along_paths as along_paths
from .lesions import reordered as reordered
from .lesions import without_blocks as without_blocks
from .model.article import basic_block as basic_block
from .model.article import bottleneck as bottleneck
from .model.record import config_of as config_of
from .pictures.diagram import Diagram as Diagram
from .pictures.plot import plot as plot
from .presets.checkpoints import PublishedWeights as PublishedWeights
from .presets.checkpoints import WeightsList as WeightsList
from .presets.checkpoints import list_weights as list_weights
from .presets.networks import PRESETS as PRESETS
from .presets.networks import list_presets as list_presets
from .training.freezing import freeze as freeze
from .training.freezing import unfreeze as unfreeze
from .training.preparing import prepare as prepare
from .training.recipes import RECIPES as RECIPES
from .training.recipes import Recipe as Recipe
from .training.recipes import compile_recipe as compile_recipe
from .weights.load import load_weights as load_weights
from .weights.report import WeightsReport as WeightsReport

__all__: list[str]
__version__: str
