"""Training: recipes of papers, runs that survive a kill, more than one device and machine."""
