# Puts the backup on standard input in the place of the database's content: all of it or nothing. PostgreSQL keeps what it has
# unless it gets the COMMIT, which only follows a backup that was whole.
set -o pipefail
{
    # Who is in the middle of something is waited for, but not forever.
    echo "SET lock_timeout = '30s'; BEGIN; DROP OWNED BY CURRENT_USER CASCADE;"
    pg_restore --no-owner --no-privileges --file - && echo 'COMMIT;'
} | psql --host /var/run/postgresql --username "$DATABASE_USER" --dbname "$DATABASE_NAME" \
    --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null
