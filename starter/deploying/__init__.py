"""How new workflow code is rolled over lifecycles that run: in place on one machine, pinned on a cluster."""
