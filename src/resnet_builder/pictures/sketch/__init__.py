"""What a picture shows, without places.

Other code uses `sketch`, `of_plan`, `of_model`, `folding`, `differences` and `layer_words`.
"""
