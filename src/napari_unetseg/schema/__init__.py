"""The frozen words that every layer shares: configuration, model card, events, errors."""
