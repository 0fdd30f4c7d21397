"""Models in use: batch norms folded, images prepared, classes named, explained and counted.

Other code uses `folding.fold_batch_norm`, `folds.folding_report`, `explain.explain`,
`evaluate.evaluate`, `photographs`, and `images.preprocessing`, `images.decode` and their settings.
A model is explained by running its calls again (`replay`); `scores` finds its classes.
"""
