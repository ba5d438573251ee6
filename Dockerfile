# Tenure as one image: which process it is, its command decides (docker-compose.yml).

FROM python:3.11.13-slim-bookworm AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# What rarely changes first. The virtual environment stands where it will run: its scripts name their interpreter.
RUN python -m venv /opt/tenure
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN /opt/tenure/bin/pip install --require-hashes -r requirements/runtime.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE vendors.py wiring.py worker.py ./
COPY activities activities
COPY adapters adapters
COPY domain domain
COPY experience experience
COPY sandbox sandbox
COPY starter starter
COPY store store
COPY workflows workflows
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir dist . \
    && /opt/tenure/bin/pip install --no-deps dist/*.whl

FROM python:3.11.13-slim-bookworm AS runtime
ENV PATH=/opt/tenure/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin tenure \
    && install --directory --owner tenure /app /state
COPY --from=builder /opt/tenure /opt/tenure
COPY examples /app/examples
COPY deploy/tenure.toml /app/tenure.toml
WORKDIR /app
USER tenure
ENV TENURE_CONFIG=/app/tenure.toml TENURE_STATE_DIR=/state TENURE_READY_FILE=/tmp/tenure.ready
# Right for the processes without a port; the others are asked over HTTP instead (docker-compose.yml).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "starter.ready"]
CMD ["python", "-m", "worker"]
