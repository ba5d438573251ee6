"""Telling people: what has come to a team goes to its channels, by e-mail, Slack or Teams, each thing once."""
