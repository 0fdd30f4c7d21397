"""Pictures of networks. Other code uses `plot`, and `diagram.Diagram` for types."""
