#!/bin/sh
# Makes the secrets that docker-compose.yml reads, where they are missing. They never enter the repository.
# usage: sh deploy/secrets.sh
set -eu
umask 022  # a container's user is not the host's: the files are readable, their directory is not
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
cd secrets

make() {
    [ -s "$1" ] || printf '%s' "$2" >"$1"
}
random() {
    head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

make postgres_password "$(random)"
make tenure_password "$(random)"
make temporal_password "$(random)"
make grafana_password "$(random)"
make system_token "$(random)"
make webhook_secret "whsec_$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
make store_url "postgresql://tenure:$(cat tenure_password)@postgres:5432/tenure"
# Temporal's images take their password from the environment alone.
make temporal.env "POSTGRES_PWD=$(cat temporal_password)
SQL_PASSWORD=$(cat temporal_password)
"
