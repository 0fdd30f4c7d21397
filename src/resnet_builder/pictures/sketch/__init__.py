"""What a picture shows, without places.

Other code uses `sketch`, `panels.sketch_plan`, `of_model` and `transforms`.
"""
