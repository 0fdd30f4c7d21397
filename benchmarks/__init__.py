"""Speed and memory of this library beside its alternatives. `python -m benchmarks --help`."""
