"""The proof of the replay gate: workflow code is broken in known ways, and changed harmlessly; the gate must tell."""
