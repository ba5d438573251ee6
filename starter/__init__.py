"""The ways in: command line, webhook gateway, dispatcher and the local stack."""
