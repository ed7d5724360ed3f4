"""Labels: training targets, weights, decoding, linking, scores (numpy; no torch)."""
