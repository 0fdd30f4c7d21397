"""Scripts that write data of the project, and the measure of its code. Not installed."""
