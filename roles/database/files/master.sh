# As the RDS master, creates the app's role and database if they are missing, sets the role's password, and checks that the app can log in.
# In a restored instance (DATABASE_MUST_EXIST) both must already exist.
# Runs in the PostgreSQL image, so that no code of the app or its packages ever has the master password.
set -eu
export PGHOST="$DATABASE_HOST" PGPORT="$DATABASE_PORT" PGSSLMODE="$DATABASE_SSLMODE" PGSSLROOTCERT="$DATABASE_SSLROOTCERT" PGCONNECT_TIMEOUT=10
# psql's \password sends only the hash, so that no statement log contains the password itself.
export PGOPTIONS="-c password_encryption=scram-sha-256"

as() {
    PGUSER=$1 PGPASSWORD=$2 PGDATABASE=$3
    shift 3
    export PGUSER PGPASSWORD PGDATABASE
    psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 --set VERBOSITY=terse --output /dev/null "$@"
}

member_of_owner() { as "$MASTER_USER" "$MASTER_PASSWORD" postgres --set user="$DATABASE_USER"; }

as "$MASTER_USER" "$MASTER_PASSWORD" postgres <<'SQL'
\getenv name DATABASE_NAME
\getenv user DATABASE_USER
\getenv must_exist DATABASE_MUST_EXIST
\if :{?must_exist}
    SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') AND EXISTS (SELECT FROM pg_database WHERE datname = :'name') AS whole \gset
    \if :whole
    \else
        DO $$BEGIN RAISE 'The restored instance does not have the database and the role of the app. Restore another snapshot or time.'; END$$;
    \endif
\endif
SELECT format('%s ROLE %I LOGIN', CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') THEN 'ALTER' ELSE 'CREATE' END, :'user') \gexec
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'name') AS there \gset
\if :there
\else
    -- Only a member of a role may give it a database (www.postgresql.org/docs/17/sql-createdatabase.html).
    GRANT :"user" TO CURRENT_USER;
    CREATE DATABASE :"name" OWNER :"user";
    REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
    REVOKE :"user" FROM CURRENT_USER;
\endif
SQL
# It asks twice, and reads standard input if there is no terminal.
printf '%s\n%s\n' "$DATABASE_PASSWORD" "$DATABASE_PASSWORD" |
    as "$MASTER_USER" "$MASTER_PASSWORD" postgres --set user="$DATABASE_USER" --command '\password :"user"'
echo >&2
as "$DATABASE_USER" "$DATABASE_PASSWORD" "$DATABASE_NAME" --command 'SELECT 1'
if [ -n "${DATABASE_EXTENSIONS:-}" ]; then
    # Only members of the owner role may connect to the database.
    echo 'GRANT :"user" TO CURRENT_USER' | member_of_owner
    export PGOPTIONS="$PGOPTIONS -c berth.extensions=$DATABASE_EXTENSIONS"
    made=0
    as "$MASTER_USER" "$MASTER_PASSWORD" "$DATABASE_NAME" --command "$DATABASE_EXTENSIONS_SQL" || made=$?
    echo 'REVOKE :"user" FROM CURRENT_USER' | member_of_owner
    [ "$made" = 0 ] || exit "$made"
fi
echo "$DATABASE_USER logs in to the database $DATABASE_NAME with $DATABASE_SSLMODE."
