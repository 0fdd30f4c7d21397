"""Parameters, multiply-adds and published numbers.

Other code uses `profile`, `profile_plan` and `cost_of` for plans, `read_model` for Keras models.
"""
