"""Parameters, multiply-adds and published numbers.

Other code uses `profile` and `profile_plan` for plans, `read_model` and `profile_reading` for Keras
models, and the tables `verify` and `coverage`.
"""
