"""A sketch as a page for the browser, which folds and unfolds. Other code uses `document`."""
