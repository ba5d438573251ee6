"""The replay corpus: completed histories that today's code must still be able to live, command by command."""
