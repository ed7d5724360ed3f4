"""What a user asks for, as generators of events: segment, train, evaluate."""
