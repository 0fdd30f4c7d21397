"""Other people's checkpoints: recognised by the names in them, loaded whole or not at all."""
