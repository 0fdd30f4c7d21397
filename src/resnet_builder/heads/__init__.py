"""Networks for a task: an encoder of this package, and a decoder of core Keras layers on its maps.

Other code uses `unet.unet`, `fpn.fpn` and `deeplab.deeplab`.
"""
