"""Follow one target through a live stream or a recording."""
