"""Long work that outlives its page: start, watch, queue and cancel a command."""
