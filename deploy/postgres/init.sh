#!/bin/sh
# Run once by the postgres image, when its volume is empty: a user for Tenure, and one for Temporal, who makes its own
# two databases.
set -eu
secrets=${SECRETS_DIR:-/run/secrets}

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set tenure="$(cat "$secrets/tenure_password")" --set temporal="$(cat "$secrets/temporal_password")" <<'SQL'
CREATE ROLE tenure LOGIN PASSWORD :'tenure';
CREATE DATABASE tenure OWNER tenure;
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'temporal';
SQL
