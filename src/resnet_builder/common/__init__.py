"""Small helpers that know nothing of residual networks."""
