-- Every test of a strategy on history, in the order of their making. The best of many is lucky: how many there were is part of its result.

CREATE TABLE trials (
    trial       INTEGER PRIMARY KEY CHECK (trial > 0),
    made_at     INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('backtest')),
    tape        TEXT NOT NULL,
    tape_sha256 TEXT NOT NULL CHECK (length(tape_sha256) = 64),
    settings    TEXT NOT NULL CHECK (length(settings) = 64),
    begins      INTEGER NOT NULL,
    ends        INTEGER NOT NULL CHECK (ends >= begins),
    days        INTEGER NOT NULL CHECK (days >= 0),
    sharpe      REAL
) STRICT;

CREATE TRIGGER trials_append_only BEFORE INSERT ON trials
WHEN NEW.trial IS NOT (SELECT coalesce(max(trial), 0) + 1 FROM trials)
BEGIN SELECT RAISE(ABORT, 'the trial ledger takes only its next trial'); END;
CREATE TRIGGER trials_never_change BEFORE UPDATE ON trials
BEGIN SELECT RAISE(ABORT, 'the trial ledger is append-only'); END;
CREATE TRIGGER trials_never_go BEFORE DELETE ON trials
BEGIN SELECT RAISE(ABORT, 'the trial ledger is append-only'); END;
