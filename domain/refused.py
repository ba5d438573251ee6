"""The refusal of a command or an event."""


class Refused(ValueError):
    """The event or command can't be applied as things stand; the message is the reason, nothing was changed."""
