"""Models in use: batch norms folded, images prepared, classes named.

Other code uses `folding.fold_batch_norm`, `folds.folding_report`, and `images.preprocessing` and
`images.decode`.
"""
