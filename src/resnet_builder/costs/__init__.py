"""Parameters, multiply-adds and published numbers. Other code uses `profile` and `report`."""
