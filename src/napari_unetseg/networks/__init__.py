"""Networks, losses and augmentation (torch)."""
