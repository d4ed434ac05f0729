# Writes the database to standard output, without extensions that only an administrator can create. restore.sh keeps existing ones in place.
set -euo pipefail
export PGHOST="${PGHOST:-/var/run/postgresql}"
options=$(psql --username postgres --dbname "$DATABASE_NAME" --no-psqlrc --no-align --tuples-only --command "SELECT '--exclude-extension=' || extname
    FROM pg_extension WHERE extname <> 'plpgsql' AND extowner <> (SELECT datdba FROM pg_database WHERE datname = current_database())")
# shellcheck disable=SC2086 # several words
exec pg_dump --username "$DATABASE_USER" --format custom $options "$DATABASE_NAME"
