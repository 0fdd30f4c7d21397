"""Small helpers that do not depend on residual networks; other code may use all of them."""
