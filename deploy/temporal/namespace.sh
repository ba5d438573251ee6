#!/bin/sh
# The namespace, once the server answers. Closed lifecycles stay readable in Temporal for a month.
set -eu

until temporal operator cluster health; do
    sleep 2
done
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 720h
