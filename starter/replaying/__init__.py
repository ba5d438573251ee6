"""The replay gate: today's code lives recorded histories again, and must ask for exactly what was asked then.

`check_corpus` is asked before code is deployed, `check_cluster` of the histories that a cluster holds. Temporal's own
replay compares which commands come in which order. It does not see a changed activity input, a moved timer, another
answer, another queue or another end: those are compared here.
"""

from starter.replaying.cluster import Checked, Choice, check_cluster
from starter.replaying.comparing import Red
from starter.replaying.corpus import check_corpus

__all__ = ["Checked", "Choice", "Red", "check_cluster", "check_corpus"]
