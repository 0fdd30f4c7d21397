"""Training recipes, freezing, backups, and training on several devices."""
