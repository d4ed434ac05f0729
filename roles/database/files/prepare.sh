# Makes the data directory, the app's role and its database where they are missing, and checks that the password fits.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # A directory that a killed run left half made is never taken for a whole one.
    rm -rf "$PGDATA.new"
    initdb --pgdata "$PGDATA.new" --username postgres --auth-local trust --auth-host scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 >/tmp/initdb.log || { cat /tmp/initdb.log; exit 1; }
    echo "host all all all scram-sha-256" >>"$PGDATA.new/pg_hba.conf"
    mv "$PGDATA.new" "$PGDATA"
fi

# Nobody else is on this volume: a lock file is one that a killed pod left.
rm -f "$PGDATA/postmaster.pid"
pg_ctl start --wait --silent --log /tmp/postgresql.log \
    --options "-c listen_addresses=127.0.0.1 -c unix_socket_directories=/var/run/postgresql" || {
    cat /tmp/postgresql.log
    exit 1
}

psql --host /var/run/postgresql --username postgres --dbname postgres --no-psqlrc --quiet --set ON_ERROR_STOP=1 <<'SQL'
\getenv name DATABASE_NAME
\getenv user DATABASE_USER
\getenv password DATABASE_PASSWORD
SET log_min_error_statement = panic;
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'user', :'password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'user')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL

if ! PGPASSWORD="$DATABASE_PASSWORD" psql --host 127.0.0.1 --username "$DATABASE_USER" --dbname "$DATABASE_NAME" \
    --no-psqlrc --quiet --command 'SELECT' >/dev/null 2>/tmp/login.log; then
    cat /tmp/login.log >&2
    cat >&2 <<EXPLANATION
The password (berth_database_password) does not fit the data in the volume: the volume was made with another one.
Put the old password back (dev keeps it in .cache/<environment>/secrets/database_password) and run the same command again,
or throw the data away: make down PURGE=yes, then make dev.
EXPLANATION
    pg_ctl stop --mode fast --silent
    exit 1
fi
pg_ctl stop --mode fast --wait --silent
