# Creates the data directory, the app's role and its database if they are missing. The role always gets the password in the Secret.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # An incomplete directory from a killed run is never mistaken for a complete one.
    rm -rf "$PGDATA.new"
    initdb --pgdata "$PGDATA.new" --username postgres --auth-local trust --auth-host scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 >/tmp/initdb.log || { cat /tmp/initdb.log; exit 1; }
    echo "host all all all scram-sha-256" >>"$PGDATA.new/pg_hba.conf"
    mv "$PGDATA.new" "$PGDATA"
fi

# A data directory works only with its own major version: https://www.postgresql.org/docs/current/upgrading.html
data=$(cat "$PGDATA/PG_VERSION")
server=$(postgres --version | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
if [ "$data" != "$server" ]; then
    echo "The volume has data of PostgreSQL $data, which this version of Berth cannot read with PostgreSQL $server."
    echo "Run site.yml and playbooks/ops/backup.yml of the previous Berth. Then, with this one, destroy with -e berth_purge=true, site.yml and playbooks/ops/restore.yml."
    exit 1
fi

# Nothing else uses this volume, so a lock file is a leftover of a killed pod.
rm -f "$PGDATA/postmaster.pid"
pg_ctl start --wait --silent --log /tmp/postgresql.log \
    --options "-c listen_addresses=127.0.0.1 -c unix_socket_directories=/var/run/postgresql" || {
    cat /tmp/postgresql.log
    exit 1
}

psql --host /var/run/postgresql --username postgres --dbname postgres --no-psqlrc --quiet \
    --set ON_ERROR_STOP=1 --set VERBOSITY=terse <<'SQL'
\getenv name DATABASE_NAME
\getenv user DATABASE_USER
SELECT format('CREATE ROLE %I LOGIN', :'user')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'user')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
printf %s "$DATABASE_PASSWORD" | sh /scripts/password
pg_ctl stop --mode fast --wait --silent
