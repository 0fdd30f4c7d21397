"""What a picture shows, without places: sections of units of boxes.

Other code uses `sketch`, `of_plan`, `of_model`, `differences` and `layer_words`.
"""
