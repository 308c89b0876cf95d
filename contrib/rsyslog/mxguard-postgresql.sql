-- SPDX-License-Identifier: MIT
-- Decisions of mxguard in PostgreSQL 13 or later. Once, as the owner of the database:
--     createdb mxguard && psql -d mxguard -f mxguard-postgresql.sql
-- The role "rsyslog" may put decisions in and read nothing; give readers SELECT.
BEGIN;
CREATE SCHEMA mxguard;

CREATE TABLE mxguard.decision (
    at        timestamptz NOT NULL,
    host      text        NOT NULL,
    verdict   text        NOT NULL,
    action    text        NOT NULL,
    would     text,                  -- in monitor mode: the action that enforce would have taken
    mode      text,
    place     text,
    boundary  inet,                  -- the host that handed the message to us
    gateway   text,
    term      text,
    sender    text,
    recipient text,
    domain    text        NOT NULL,  -- the recipient's; '(none)' where there is none
    id        text,
    gen       bigint,                -- the snapshot's generation
    origin    inet,
    reason    text        NOT NULL,
    line      jsonb       NOT NULL   -- all of it, with whatever fields a later version adds
);
CREATE INDEX decision_at ON mxguard.decision USING brin (at);
CREATE INDEX decision_domain ON mxguard.decision (domain, at);
CREATE INDEX decision_direct ON mxguard.decision (boundary, at) WHERE verdict = 'direct';

-- What looked like a decision and was none. Any local user can write to the log under any name.
CREATE TABLE mxguard.unread (
    at   timestamptz NOT NULL DEFAULT now(),
    host text        NOT NULL,
    tag  text        NOT NULL,
    line text        NOT NULL,
    why  text        NOT NULL
);

-- NULL for what is no address.
CREATE FUNCTION mxguard.address(word text) RETURNS inet LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN word ~ '^[0-9a-fA-F:.]+$' THEN word::inet END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

-- One line of the log. A line that cannot be stored never holds up those behind it.
CREATE FUNCTION mxguard.take(stamp text, host text, tag text, message text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text;
    o     jsonb;
BEGIN
    -- directly behind the tag, as `mxguard report` reads it: words further on may be a client's
    found := CASE WHEN tag ~ '^mxguard'
        THEN substring(message FROM '^ ?(\{"verdict":.*\})\s*$')
        ELSE substring(message FROM '^ ?(?:lmtp|lda|dovecot-lda)\([^(){}"]*\)(?:<[^<>{}"]*>)*: (?:Info: )?(\{"verdict":.*\})\s*$')
    END;
    IF found IS NULL THEN
        RETURN;
    END IF;
    o := found::jsonb;
    INSERT INTO mxguard.decision VALUES (
        stamp::timestamptz, host, o->>'verdict', o->>'action', nullif(o->>'would', '-'), o->>'mode', o->>'place',
        mxguard.address(o->>'boundary'), o->>'gateway', o->>'term', o->>'from', o->>'rcpt',
        coalesce(lower(substring(o->>'rcpt' FROM '@([!-?A-~]+)$')), '(none)'), o->>'id', (o->>'gen')::bigint,
        mxguard.address(o->>'origin'), o->>'reason', o);
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR statement_too_complex THEN
    INSERT INTO mxguard.unread (host, tag, line, why) VALUES (host, tag, left(message, 8192), SQLERRM);
END $$;

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rsyslog') THEN
        CREATE ROLE rsyslog LOGIN;
    END IF;
END $$;
REVOKE ALL ON FUNCTION mxguard.take(text, text, text, text) FROM PUBLIC;
GRANT USAGE ON SCHEMA mxguard TO rsyslog;
GRANT EXECUTE ON FUNCTION mxguard.take(text, text, text, text) TO rsyslog;
COMMIT;
