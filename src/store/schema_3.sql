-- Breakers close positions by themselves, so an order may have one for its origin; and what tripped, why, and who let it go is a table.

CREATE TABLE orders_3 (
    run         INTEGER NOT NULL REFERENCES runs (run),
    order_id    INTEGER NOT NULL,
    mark        TEXT NOT NULL,
    account     INTEGER NOT NULL,
    instrument  INTEGER NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    kind        TEXT NOT NULL CHECK (kind IN ('market', 'limit', 'stop')),
    price       INTEGER CHECK (price > 0),
    origin      TEXT NOT NULL
                CHECK (origin IN ('ticket', 'proposal', 'stop-loss', 'take-profit', 'kill switch', 'broker', 'external',
                                  'breaker')),
    closes      INTEGER,
    signal_id   INTEGER,
    state       TEXT NOT NULL,
    filled      INTEGER NOT NULL DEFAULT 0 CHECK (filled >= 0),
    broker_ref  INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (run, order_id),
    UNIQUE (run, mark),
    CHECK ((kind = 'market') = (price IS NULL) OR origin IN ('stop-loss', 'take-profit'))
) STRICT;
INSERT INTO orders_3 (run, order_id, mark, account, instrument, side, quantity, kind, price, origin, closes, signal_id, state, filled,
                      broker_ref, created_at, updated_at)
SELECT run, order_id, mark, account, instrument, side, quantity, kind, price, origin, closes, signal_id, state, filled, broker_ref,
       created_at, updated_at
FROM orders;

CREATE TABLE fills_3 (
    run        INTEGER NOT NULL REFERENCES runs (run),
    account    INTEGER NOT NULL,
    deal_id    INTEGER NOT NULL,
    order_id   INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    closes     INTEGER NOT NULL CHECK (closes IN (0, 1)),
    instrument INTEGER NOT NULL,
    side       TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    price      INTEGER NOT NULL CHECK (price > 0),
    cost       INTEGER NOT NULL,
    liquidity  TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (run, account, deal_id),
    FOREIGN KEY (run, order_id) REFERENCES orders_3 (run, order_id)
) STRICT;
INSERT INTO fills_3 (run, account, deal_id, order_id, position, closes, instrument, side, quantity, price, cost, liquidity, at)
SELECT run, account, deal_id, order_id, position, closes, instrument, side, quantity, price, cost, liquidity, at
FROM fills;

DROP TABLE fills;
DROP TABLE orders;
ALTER TABLE orders_3 RENAME TO orders;
ALTER TABLE fills_3 RENAME TO fills;

CREATE TABLE breakers (
    number      INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (run),
    rule        TEXT NOT NULL,
    subject     TEXT NOT NULL CHECK (json_valid(subject)),
    value       INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    action      TEXT NOT NULL,
    unlock      TEXT NOT NULL,
    who         TEXT NOT NULL,
    why         TEXT NOT NULL,
    tripped_at  INTEGER NOT NULL,
    wall        INTEGER NOT NULL,
    overruled   INTEGER NOT NULL DEFAULT 0 CHECK (overruled IN (0, 1)),
    released_at INTEGER,
    released_by TEXT
) STRICT;
CREATE INDEX breakers_by_run ON breakers (run, rule);
