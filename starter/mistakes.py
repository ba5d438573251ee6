"""What a person is told in one line."""


class Mistake(Exception):
    """What was asked can't be done. The message is one line (a log's tail may follow); nothing was changed."""


class Refusal(Mistake):
    """A lifecycle certainly did not take a command; any other mistake may leave that open."""


class Unknown(Mistake):
    """What was named does not exist, or not uniquely."""


class Unanswered(Mistake):
    """A lifecycle, or what an event became, has not answered in time; it may still be carried out."""
