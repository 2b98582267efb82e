-- A broker's numbers are its own: the same position or trade may be met again in a later run, a cost may be in one's favour (a swap, a
-- rounding), and what was opened elsewhere is adopted. So orders, fills and positions are keyed by their run.

CREATE TABLE orders_2 (
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
                CHECK (origin IN ('ticket', 'proposal', 'stop-loss', 'take-profit', 'kill switch', 'broker', 'external')),
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
INSERT INTO orders_2 (run, order_id, mark, account, instrument, side, quantity, kind, price, origin, closes, signal_id, state, filled,
                      broker_ref, created_at, updated_at)
SELECT run, order_id, mark, account, instrument, side, quantity, kind, price, origin, closes, signal_id, state, filled, broker_ref,
       created_at, updated_at
FROM orders;

CREATE TABLE fills_2 (
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
    FOREIGN KEY (run, order_id) REFERENCES orders_2 (run, order_id)
) STRICT;
INSERT INTO fills_2 (run, account, deal_id, order_id, position, closes, instrument, side, quantity, price, cost, liquidity, at)
SELECT run, account, deal_id, order_id, position, closes, instrument, side, quantity, price, cost, liquidity, at
FROM fills;

CREATE TABLE positions_2 (
    run         INTEGER NOT NULL REFERENCES runs (run),
    position    INTEGER NOT NULL,
    account     INTEGER NOT NULL,
    instrument  INTEGER NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('long', 'short')),
    quantity    INTEGER NOT NULL CHECK (quantity >= 0),
    basis       INTEGER NOT NULL,
    realised    INTEGER NOT NULL,
    costs       INTEGER NOT NULL,
    stop_loss   INTEGER,
    take_profit INTEGER,
    opened_at   INTEGER NOT NULL,
    closed_at   INTEGER,
    PRIMARY KEY (run, position),
    CHECK ((quantity = 0) = (closed_at IS NOT NULL))
) STRICT;
INSERT INTO positions_2 (run, position, account, instrument, side, quantity, basis, realised, costs, stop_loss, take_profit, opened_at,
                         closed_at)
SELECT run, position, account, instrument, side, quantity, basis, realised, costs, stop_loss, take_profit, opened_at, closed_at
FROM positions;

DROP TABLE fills;
DROP TABLE orders;
DROP TABLE positions;
ALTER TABLE orders_2 RENAME TO orders;
ALTER TABLE fills_2 RENAME TO fills;
ALTER TABLE positions_2 RENAME TO positions;
