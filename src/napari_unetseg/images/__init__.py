"""Images: axes, reading, writing, normalisation, tiles, simulation (numpy; no torch)."""
