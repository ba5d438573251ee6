#!/bin/sh
# Both of Temporal's databases, made and brought to this version's schema. Safe to repeat, and needed at every upgrade.
set -eu
schema=/etc/temporal/schema/postgresql/v12

for database in temporal temporal_visibility; do
    tool="temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db $database"
    $tool create
    $tool setup-schema -v 0.0
    $tool update-schema -d "$schema/${database#temporal_}/versioned"
done
