-- Amounts, prices and quantities are integers at 1e-9; times are nanoseconds since the Unix epoch, UTC.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE journal (
    seq          INTEGER PRIMARY KEY,
    run          INTEGER NOT NULL,
    market_index INTEGER NOT NULL CHECK (market_index >= 0),
    market_at    INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind GLOB 'input.*' OR kind GLOB 'record.*'),
    version      INTEGER NOT NULL CHECK (version >= 1),
    payload      TEXT NOT NULL CHECK (json_valid(payload)),
    hash         BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX journal_by_run ON journal (run, seq);

-- REPLACE deletes before it inserts: the insert trigger refuses any number but the next one, so it never comes to that.
CREATE TRIGGER journal_appends_only BEFORE INSERT ON journal
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, 'the journal takes only its next entry'); END;
CREATE TRIGGER journal_never_changes BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_never_shrinks BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE runs (
    run         INTEGER PRIMARY KEY,
    ledger      INTEGER NOT NULL,
    tape        TEXT NOT NULL,
    tape_sha256 TEXT NOT NULL,
    seed        INTEGER NOT NULL,
    capital     INTEGER NOT NULL CHECK (capital > 0),
    currency    TEXT NOT NULL,
    version     TEXT NOT NULL,
    settings    TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('running', 'suspended'))
) STRICT;

CREATE TABLE orders (
    order_id    INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (run),
    mark        TEXT NOT NULL UNIQUE,
    account     INTEGER NOT NULL,
    instrument  INTEGER NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    kind        TEXT NOT NULL CHECK (kind IN ('market', 'limit', 'stop')),
    price       INTEGER CHECK (price > 0),
    origin      TEXT NOT NULL CHECK (origin IN ('ticket', 'proposal', 'stop-loss', 'take-profit', 'kill switch', 'broker')),
    closes      INTEGER,
    signal_id   INTEGER,
    state       TEXT NOT NULL,
    filled      INTEGER NOT NULL DEFAULT 0 CHECK (filled >= 0),
    broker_ref  INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CHECK ((kind = 'market') = (price IS NULL) OR origin IN ('stop-loss', 'take-profit'))
) STRICT;
CREATE INDEX orders_by_run ON orders (run);

CREATE TABLE fills (
    account    INTEGER NOT NULL,
    deal_id    INTEGER NOT NULL,
    run        INTEGER NOT NULL REFERENCES runs (run),
    order_id   INTEGER NOT NULL REFERENCES orders (order_id),
    position   INTEGER NOT NULL,
    closes     INTEGER NOT NULL CHECK (closes IN (0, 1)),
    instrument INTEGER NOT NULL,
    side       TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    price      INTEGER NOT NULL CHECK (price > 0),
    cost       INTEGER NOT NULL CHECK (cost >= 0),
    liquidity  TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (account, deal_id)
) STRICT;

CREATE TABLE positions (
    position    INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (run),
    account     INTEGER NOT NULL,
    instrument  INTEGER NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('long', 'short')),
    quantity    INTEGER NOT NULL CHECK (quantity >= 0),
    basis       INTEGER NOT NULL,
    realised    INTEGER NOT NULL,
    costs       INTEGER NOT NULL CHECK (costs >= 0),
    stop_loss   INTEGER,
    take_profit INTEGER,
    opened_at   INTEGER NOT NULL,
    closed_at   INTEGER,
    CHECK ((quantity = 0) = (closed_at IS NOT NULL))
) STRICT;

CREATE TABLE llm_signals (
    run          INTEGER NOT NULL REFERENCES runs (run),
    signal_id    INTEGER NOT NULL,
    source       TEXT NOT NULL,
    instrument   INTEGER NOT NULL,
    direction    TEXT NOT NULL CHECK (direction IN ('long', 'short')),
    strength     INTEGER NOT NULL,
    horizon_bars INTEGER NOT NULL CHECK (horizon_bars > 0),
    probability  INTEGER CHECK (probability BETWEEN 0 AND 1000000000),
    as_of        INTEGER NOT NULL,
    reference    INTEGER NOT NULL CHECK (reference > 0),
    rationale    TEXT NOT NULL,
    passed       INTEGER NOT NULL CHECK (passed IN (0, 1)),
    entry        INTEGER,
    exit         INTEGER,
    net_return   INTEGER,
    resolved_at  INTEGER,
    PRIMARY KEY (run, signal_id)
) STRICT;

CREATE TABLE llm_signal_validations (
    run       INTEGER NOT NULL,
    signal_id INTEGER NOT NULL,
    layer     TEXT NOT NULL CHECK (layer IN ('statistics', 'regime', 'risk', 'portfolio', 'track record')),
    verdict   TEXT NOT NULL CHECK (verdict IN ('pass', 'warn', 'not_proven', 'fail')),
    value     INTEGER,
    threshold INTEGER,
    reason    TEXT NOT NULL,
    PRIMARY KEY (run, signal_id, layer),
    FOREIGN KEY (run, signal_id) REFERENCES llm_signals (run, signal_id)
) STRICT;

CREATE TABLE llm_risk_assessments (
    run        INTEGER NOT NULL,
    signal_id  INTEGER NOT NULL,
    risk_level TEXT NOT NULL CHECK (risk_level IN ('low', 'medium', 'high', 'extreme')),
    assessor   TEXT NOT NULL,
    PRIMARY KEY (run, signal_id, assessor),
    FOREIGN KEY (run, signal_id) REFERENCES llm_signals (run, signal_id)
) STRICT;

CREATE TABLE alerts (
    run          INTEGER NOT NULL REFERENCES runs (run),
    alert_id     INTEGER NOT NULL,
    severity     TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    topic        TEXT NOT NULL,
    instrument   INTEGER,
    at           INTEGER NOT NULL,
    text         TEXT NOT NULL,
    acknowledged INTEGER NOT NULL CHECK (acknowledged IN (0, 1)),
    PRIMARY KEY (run, alert_id)
) STRICT;
