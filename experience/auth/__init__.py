"""How people and machines come in: by a login at the identity provider, or by a token."""
