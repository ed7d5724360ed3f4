"""Model files and the library of models (safetensors; no torch)."""
