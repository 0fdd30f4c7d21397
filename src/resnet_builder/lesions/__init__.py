"""Networks without some blocks, in another order, or along some paths (arXiv:1605.06431)."""
