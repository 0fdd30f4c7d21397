"""The font and the colours of all pictures."""

FONT = "Arial"

# Paul Tol's pale, light and vibrant qualitative colours, which colour-blind readers can tell apart;
# lightness and words tell apart what grey does not. https://personal.sron.nl/~pault/
COLOURS = {
    "conv": "#BBCCEE",
    "norm": "#EEEEBB",
    "activation": "#FFCCCC",
    "pool": "#CCEEFF",
    "merge": "#CCDDAA",
    "scale": "#E0D0EC",
    "dense": "#DDDDDD",
    "other": "#FFFFFF",
    "output": "#FFFFFF",
}
