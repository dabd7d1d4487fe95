"""What ran, how it ended and what it measured: records beside the warehouse, messages to whoever watches."""
