"""Recording systems: they hold in memory what is asked of them, and note it with its business time. For simulations."""
