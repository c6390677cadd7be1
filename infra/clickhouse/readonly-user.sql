-- The user as which statements of people run on a ClickHouse server: MEADOW_SQL_USER and MEADOW_SQL_PASSWORD of the gateway.
-- Run it once as an administrator, and again after an update of Meadow that adds public tables. Change the password first.
--
-- Meadow checks every statement itself before it is sent; this is the second lock, and the one for those who connect with a
-- client of their own.

CREATE SETTINGS PROFILE IF NOT EXISTS meadow_sql SETTINGS
    -- reads only; limits may be set, within these bounds
    readonly = 2 CONST,
    allow_ddl = 0 CONST,
    allow_introspection_functions = 0 CONST,
    max_execution_time = 60 MIN 1 MAX 600,
    max_memory_usage = 1000000000 MAX 4000000000,
    max_threads = 2 MAX 4,
    max_concurrent_queries_for_user = 4 CONST,
    -- a query may fill its own memory, never the disk
    max_bytes_before_external_group_by = 0 CONST,
    max_bytes_before_external_sort = 0 CONST,
    -- who leaves ends the query
    cancel_http_readonly_queries_on_client_close = 1 CONST;

CREATE QUOTA IF NOT EXISTS meadow_sql KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 10000, execution_time = 3600;

CREATE USER IF NOT EXISTS meadow_sql IDENTIFIED BY 'change-me' SETTINGS PROFILE 'meadow_sql';
ALTER QUOTA meadow_sql TO meadow_sql;

-- Public tables, as docs/sql.md lists them. A view reads its tables as who asks, so these are granted too.
GRANT SELECT ON meadow.* TO meadow_sql;
REVOKE SELECT ON meadow.saved_queries_raw FROM meadow_sql;
-- neither files nor networks: SOURCES and table functions are not granted
REVOKE SOURCES ON *.* FROM meadow_sql;
REVOKE dictGet ON *.* FROM meadow_sql;

-- Only some clusters: a user of its own for each group of people, with a policy on every table that has the column cluster. A
-- table with a policy for one user shows nothing to those who have none, so give everybody else one that lets all pass.
--
-- CREATE ROW POLICY meadow_prod ON meadow.* FOR SELECT USING cluster IN ('prod') TO meadow_sql_prod;
-- CREATE ROW POLICY meadow_rest ON meadow.* FOR SELECT USING 1 TO ALL EXCEPT meadow_sql_prod;
