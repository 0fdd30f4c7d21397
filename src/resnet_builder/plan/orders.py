"""The order of convolution, norm and activation. Does not import Keras.

To add an order, add a row to `ORDERS`.
"""

from dataclasses import dataclass
from typing import Literal

Step = Literal["conv", "norm", "act"]
Steps = tuple[Step, ...]

CONV: Steps = ("conv",)
CONV_BN: Steps = ("conv", "norm")
CONV_BN_RELU: Steps = ("conv", "norm", "act")
BN_RELU: Steps = ("norm", "act")
BN_RELU_CONV: Steps = ("norm", "act", "conv")


@dataclass(frozen=True, kw_only=True)
class Order:
    """The steps at each place of a network.

    Attributes:
        residual: steps of the convolutions of a residual branch.
        last_of_residual: steps of its last convolution.
        first_of_network: steps of the first convolution of the network's first block.
        last_of_stem: steps of the stem's last convolution; those before it are `CONV_BN_RELU`.
        projection: steps of a shortcut's convolution.
        ends_in_activation: whether an activation follows the sum of a block.
        head: steps before the head's pool.
        shares_activation: whether a block with a projection begins with a `BN_RELU` that the
            residual branch and the shortcut share.
        in_words: description for `compare`.
    """

    in_words: str
    residual: Steps
    last_of_residual: Steps
    first_of_network: Steps
    last_of_stem: Steps
    projection: Steps
    ends_in_activation: bool = False
    head: Steps = BN_RELU
    shares_activation: bool = False


ORDERS = {
    # He et al. 2015, Figure 2.
    "post": Order(
        in_words="batch norm and activation after each convolution",
        residual=CONV_BN_RELU,
        last_of_residual=CONV_BN,
        first_of_network=CONV_BN_RELU,
        last_of_stem=CONV_BN_RELU,
        projection=CONV_BN,
        ends_in_activation=True,
        head=(),
    ),
    # He et al. 2016, Figure 4(e). A projection takes the activated input and an identity the raw
    # one, in the first block too (timm models/resnetv2.py; the paper's appendix activates before
    # its first block splits).
    "pre": Order(
        in_words="batch norm and activation before each convolution",
        residual=BN_RELU_CONV,
        last_of_residual=BN_RELU_CONV,
        first_of_network=BN_RELU_CONV,
        last_of_stem=CONV,
        projection=CONV,
        shares_activation=True,
    ),
    # The article's code: the stem has activated the input of the first block.
    "pre_raw": Order(
        in_words="batch norm and activation before each convolution except projections",
        residual=BN_RELU_CONV,
        last_of_residual=BN_RELU_CONV,
        first_of_network=CONV,
        last_of_stem=CONV_BN_RELU,
        projection=CONV,
    ),
}
