# Puts the backup on standard input in the place of the database's content: all of it or nothing.
#
# A backup is a program in SQL, and not always what pg_dump made: one with a COMMIT of its own would end any transaction around it, and psql
# would run a line of it that begins with \! in a shell. So pg_restore, which knows no such lines, makes of it a database on the side, as a
# role that owns nothing else. What pg_dump makes of that one takes the place of the content: in a transaction that ends with our own COMMIT,
# which only follows when it was whole.
set -euo pipefail
export PGHOST="${PGHOST:-/var/run/postgresql}" PGOPTIONS="-c client_min_messages=warning"
side='berth-restore' # no database of an app has a name with a hyphen

sql() {
    psql --username "$1" --dbname "$2" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null "${@:3}"
}
forget() {
    sql postgres postgres --command "DROP DATABASE IF EXISTS \"$side\" WITH (FORCE)" --command "DROP ROLE IF EXISTS \"$side\""
}

forget # what a killed run left
trap forget EXIT
sql postgres postgres --command "CREATE ROLE \"$side\" LOGIN" --command "CREATE DATABASE \"$side\" OWNER \"$side\" TEMPLATE template0"
# Extensions that only an administrator can make are no part of a backup, and stay where they are.
others=()
for extension in $(psql --username postgres --dbname "$DATABASE_NAME" --no-psqlrc --no-align --tuples-only --command "SELECT extname
    FROM pg_extension WHERE extname <> 'plpgsql' AND extowner <> (SELECT datdba FROM pg_database WHERE datname = current_database())"); do
    sql postgres "$side" --command "CREATE EXTENSION IF NOT EXISTS \"$extension\" CASCADE"
    others+=("--exclude-extension=$extension")
done
pg_restore --username "$side" --dbname "$side" --no-owner --no-privileges --single-transaction
{
    # Who is in the middle of something is waited for, but not forever.
    echo "SET lock_timeout = '30s'; BEGIN; DROP OWNED BY CURRENT_USER CASCADE;"
    pg_dump --username "$side" --no-owner --no-privileges "${others[@]}" "$side" && echo 'COMMIT;'
} | sql "$DATABASE_USER" "$DATABASE_NAME"
