"""Pictures of networks: a plan or a model becomes a sketch, then a page or a figure, then DOT."""
