-- SPDX-License-Identifier: MIT
-- Questions to mxguard.decision. The first four are the figures of `mxguard report` over the same lines; each is a view,
-- so that Grafana or psql can narrow it down: SELECT … FROM mxguard.decision WHERE at > now() - interval '1 day'.
-- psql -d mxguard -f queries.sql
BEGIN;

-- report: verdicts, actions, would, reasons
CREATE OR REPLACE VIEW mxguard.counts AS
SELECT 'verdicts' AS what, verdict AS word, count(*) AS decisions FROM mxguard.decision GROUP BY verdict
UNION ALL SELECT 'actions', action, count(*) FROM mxguard.decision GROUP BY action
UNION ALL SELECT 'would', would, count(*) FROM mxguard.decision WHERE would IS NOT NULL GROUP BY would
UNION ALL SELECT 'reasons', reason, count(*) FROM mxguard.decision GROUP BY reason;

-- report: domains
CREATE OR REPLACE VIEW mxguard.domains AS
SELECT domain, count(*) AS decisions,
       count(*) FILTER (WHERE verdict = 'authorized') AS authorized,
       count(*) FILTER (WHERE verdict = 'direct') AS direct,
       count(*) FILTER (WHERE verdict = 'unknown') AS "unknown"
FROM mxguard.decision GROUP BY domain;

-- report: direct_peers
CREATE OR REPLACE VIEW mxguard.direct_peers AS
SELECT boundary AS peer, count(*) AS messages, count(DISTINCT domain) AS domains, min(at) AS first, max(at) AS last
FROM mxguard.decision WHERE verdict = 'direct' AND boundary IS NOT NULL GROUP BY boundary;

-- report: decisions, from, to
CREATE OR REPLACE VIEW mxguard.span AS
SELECT count(*) AS decisions, min(at) AS "from", max(at) AS "to" FROM mxguard.decision;

-- a board's time line: what came past the gateways, hour by hour
CREATE OR REPLACE VIEW mxguard.hours AS
SELECT date_trunc('hour', at) AS hour, verdict, count(*) AS decisions FROM mxguard.decision GROUP BY 1, 2;

-- hosts that decide by an older snapshot than others did an hour ago: they do not fetch
CREATE OR REPLACE VIEW mxguard.behind AS
WITH newest AS (SELECT host, max(gen) AS gen, max(at) AS at FROM mxguard.decision WHERE gen IS NOT NULL GROUP BY host)
SELECT host, gen, at FROM newest
WHERE gen < (SELECT max(d.gen) FROM mxguard.decision d WHERE d.at < newest.at - interval '1 hour');
COMMIT;
