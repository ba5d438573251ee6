"""Sources of webhooks: each is configuration. `declaration` is its language, `presets` hold four of them in it."""
