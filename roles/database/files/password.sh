# Sets the password of the app's role to the one on standard input. No statement with it is shown or logged.
set -eu
PASSWORD=$(cat)
export PASSWORD
psql --host /var/run/postgresql --username postgres --dbname postgres --no-psqlrc --quiet \
    --set ON_ERROR_STOP=1 --set VERBOSITY=terse <<'SQL'
\getenv user DATABASE_USER
\getenv password PASSWORD
SET log_min_error_statement = panic;
SET log_min_duration_statement = -1;
SET log_statement = none;
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', :'user', :'password') \gexec
SQL
