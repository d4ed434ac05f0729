-- Creates the missing extensions among those in the setting berth.extensions, separated by commas.
DO $do$
DECLARE
    wanted text[] := string_to_array(current_setting('berth.extensions'), ',');
    owner text := (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database());
    lacking text;
    extension text;
BEGIN
    SELECT string_agg(name, ', ') INTO lacking FROM unnest(wanted) AS name WHERE name NOT IN (SELECT available.name FROM pg_available_extensions AS available);
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION 'PostgreSQL does not have %. It has: %.', lacking,
            (SELECT string_agg(name, ', ' ORDER BY name) FROM pg_available_extensions WHERE name <> 'plpgsql');
    END IF;
    FOREACH extension IN ARRAY wanted LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = extension);
        -- A trusted extension belongs to the database's owner, like one created by a migration. So a backup, which contains only the owner's objects,
        -- includes it.
        IF pg_has_role(owner, 'MEMBER') AND (SELECT version.trusted FROM pg_available_extension_versions AS version
            JOIN pg_available_extensions AS available ON available.name = version.name AND available.default_version = version.version
            WHERE version.name = extension) THEN
            EXECUTE format('SET LOCAL ROLE %I', owner);
        END IF;
        BEGIN
            EXECUTE format('CREATE EXTENSION %I CASCADE', extension);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION '% may not create the extension %. An administrator of the server must run this in the database %: CREATE EXTENSION %;',
                current_user, extension, current_database(), format('%I', extension);
        END;
        RESET ROLE;
        RAISE NOTICE 'made %', extension;
    END LOOP;
END
$do$;
