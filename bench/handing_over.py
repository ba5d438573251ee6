"""`python -m bench.handing_over`: a worker that goes on with runs that have begun, and begins none."""

from functools import partial

from starter.deploying.handing_over import BeginsNothing
from starter.process import run_process
from worker import serve

if __name__ == "__main__":
    run_process("worker", partial(serve, beside=[BeginsNothing()]))
