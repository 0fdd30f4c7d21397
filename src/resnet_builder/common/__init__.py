"""Small helpers that do not depend on residual networks."""
