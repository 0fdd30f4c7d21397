"""The documentation site's generated pages: gallery, command line, tables. Not installed."""
