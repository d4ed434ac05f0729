# Replaces the database's content with the backup on standard input, completely or not at all.
#
# A backup is an SQL program, and may not come from pg_dump: a COMMIT in it would end any transaction around it, and psql would run a line
# that begins with \! in a shell. So pg_restore, which knows no such lines, restores it into a temporary database, as a role that owns nothing
# else. A dump of that database then replaces the content, in a transaction that is committed only if the dump is complete.
set -euo pipefail
export PGHOST="${PGHOST:-/var/run/postgresql}" PGOPTIONS="-c client_min_messages=warning"
side='berth-restore' # no app's database has a hyphen in its name

sql() {
    psql --username "$1" --dbname "$2" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null "${@:3}"
}
forget() {
    sql postgres postgres --command "DROP DATABASE IF EXISTS \"$side\" WITH (FORCE)" --command "DROP ROLE IF EXISTS \"$side\""
}

forget # leftovers of a killed run
trap forget EXIT
sql postgres postgres --command "CREATE ROLE \"$side\" LOGIN" --command "CREATE DATABASE \"$side\" OWNER \"$side\" TEMPLATE template0"
# Extensions that only an administrator can create are not part of a backup, and stay in place.
others=()
for extension in $(psql --username postgres --dbname "$DATABASE_NAME" --no-psqlrc --no-align --tuples-only --command "SELECT extname
    FROM pg_extension WHERE extname <> 'plpgsql' AND extowner <> (SELECT datdba FROM pg_database WHERE datname = current_database())"); do
    sql postgres "$side" --command "CREATE EXTENSION IF NOT EXISTS \"$extension\" CASCADE"
    others+=("--exclude-extension=$extension")
done
pg_restore --username "$side" --dbname "$side" --no-owner --no-privileges --single-transaction
{
    # Wait for open transactions, but not forever.
    echo "SET lock_timeout = '30s'; BEGIN; DROP OWNED BY CURRENT_USER CASCADE;"
    pg_dump --username "$side" --no-owner --no-privileges "${others[@]}" "$side" && echo 'COMMIT;'
} | sql "$DATABASE_USER" "$DATABASE_NAME"
