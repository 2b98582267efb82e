-- Fits of a walk-forward are tests too: three more kinds. A CHECK cannot be changed in place, so the rows move to a new table.

CREATE TABLE trials_2 (
    trial       INTEGER PRIMARY KEY CHECK (trial > 0),
    made_at     INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('backtest', 'train', 'test', 'whole')),
    tape        TEXT NOT NULL,
    tape_sha256 TEXT NOT NULL CHECK (length(tape_sha256) = 64),
    settings    TEXT NOT NULL CHECK (length(settings) = 64),
    begins      INTEGER NOT NULL,
    ends        INTEGER NOT NULL CHECK (ends >= begins),
    days        INTEGER NOT NULL CHECK (days >= 0),
    sharpe      REAL
) STRICT;

INSERT INTO trials_2 SELECT * FROM trials;
DROP TABLE trials;
ALTER TABLE trials_2 RENAME TO trials;
CREATE INDEX trials_of_tape ON trials (tape_sha256, settings, begins, ends);

CREATE TRIGGER trials_append_only BEFORE INSERT ON trials
WHEN NEW.trial IS NOT (SELECT coalesce(max(trial), 0) + 1 FROM trials)
BEGIN SELECT RAISE(ABORT, 'the trial ledger takes only its next trial'); END;
CREATE TRIGGER trials_never_change BEFORE UPDATE ON trials
BEGIN SELECT RAISE(ABORT, 'the trial ledger is append-only'); END;
CREATE TRIGGER trials_never_go BEFORE DELETE ON trials
BEGIN SELECT RAISE(ABORT, 'the trial ledger is append-only'); END;
