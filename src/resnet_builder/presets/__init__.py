"""The table of networks and the table of their published checkpoints.

Other code uses `resolve.resolve`, which reads both, and the tables: `networks` and `checkpoints`.
"""
