"""Follow one target through a live stream: sources, frames, a recorder and a window."""
