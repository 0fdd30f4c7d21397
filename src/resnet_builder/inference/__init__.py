"""Models for inference: batch norms folded into convolutions and dense layers."""
