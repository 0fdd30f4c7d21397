"""Models in use: batch norms folded, images prepared, classes named.

Other code uses `folding.fold_batch_norm`, `folds.folding_report`, and `preprocessing` and `decode` of
`images`.
"""
