"""The tables of a run's SQLite file."""

from __future__ import annotations

SCHEMA_VERSION = 4
"""Raised with every change of the tables."""

WITHOUT_MEMOS = 3
"""The version before, which has no memos and no indices; it is read as it is, and brought up to
date when it is continued."""

ADDITIONS = """
CREATE TABLE memo (
    candidate INTEGER PRIMARY KEY REFERENCES candidate (number),
    data BLOB NOT NULL
);
CREATE INDEX outcome_summary
    ON outcome (candidate, position, tier, status, reason, enthalpy_ev, converged, level);
CREATE INDEX candidate_summary ON candidate (number, n_atoms, source);
"""
"""What version 4 has more than version 3: what searches want to have back of their records, and
what a summary needs without the geometries."""

TABLES = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE level (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    version TEXT NOT NULL,
    model TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    settings TEXT NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (code, version, model, checkpoint, settings, unit)
);
CREATE TABLE candidate (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    parents TEXT NOT NULL,
    detail TEXT NOT NULL,
    n_atoms INTEGER NOT NULL,
    numbers BLOB NOT NULL,
    cell BLOB NOT NULL,
    scaled BLOB NOT NULL,
    duplicate_of INTEGER,
    asked_s REAL NOT NULL
);
CREATE TABLE outcome (
    candidate INTEGER NOT NULL REFERENCES candidate (number),
    position INTEGER NOT NULL,
    tier TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    message TEXT NOT NULL,
    wall_s REAL NOT NULL,
    level INTEGER REFERENCES level (id),
    energy_ev REAL,
    enthalpy_ev REAL,
    max_force_ev_per_angstrom REAL,
    max_stress_gpa REAL,
    converged INTEGER,
    steps INTEGER,
    evaluations INTEGER,
    numbers BLOB,
    cell BLOB,
    scaled BLOB,
    forces BLOB,
    stress_gpa BLOB,
    PRIMARY KEY (candidate, position)
) WITHOUT ROWID;
CREATE TABLE record (
    sequence INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL UNIQUE REFERENCES candidate (number),
    duplicate_of INTEGER,
    finished_s REAL NOT NULL,
    core_s REAL NOT NULL,
    accepted INTEGER NOT NULL,
    new_minimum INTEGER NOT NULL,
    melted INTEGER NOT NULL,
    temperature_ev_per_atom REAL NOT NULL,
    current INTEGER,
    best INTEGER,
    is_target INTEGER NOT NULL,
    provisional INTEGER NOT NULL
);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    time_s REAL NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
"""

SELECT_OTHERS = (
    "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') "
    "OR sql LIKE 'CREATE VIRTUAL%' LIMIT 5"
)
INSERT_META = "INSERT INTO meta VALUES (?, ?)"
UPDATE_VERSION = "UPDATE meta SET value = ? WHERE key = 'schema_version'"
INSERT_CANDIDATE = (
    "INSERT INTO candidate (number, source, parents, detail, n_atoms, numbers, cell, scaled, "
    "duplicate_of, asked_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_OUTCOME = (
    "INSERT INTO outcome (candidate, position, tier, status, reason, message, wall_s, level, "
    "energy_ev, enthalpy_ev, max_force_ev_per_angstrom, max_stress_gpa, converged, steps, "
    "evaluations, numbers, cell, scaled, forces, stress_gpa) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
NEXT_POSITION = "SELECT coalesce(max(position) + 1, 0) FROM outcome WHERE candidate = ?"
INSERT_RECORD = (
    "INSERT INTO record (candidate, duplicate_of, finished_s, core_s, accepted, new_minimum, "
    "melted, temperature_ev_per_atom, current, best, is_target, provisional) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT_PROVISIONAL = "SELECT candidate, finished_s, core_s FROM record WHERE provisional"
DELETE_PROVISIONAL = "DELETE FROM record WHERE provisional"
INSERT_MEMO = "INSERT OR REPLACE INTO memo VALUES (?, ?)"
INSERT_EVENT = "INSERT INTO event (time_s, kind, data) VALUES (?, ?, ?)"
INSERT_LEVEL = (
    "INSERT OR IGNORE INTO level (code, version, model, checkpoint, settings, unit) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
SELECT_LEVELS = "SELECT id, code, version, model, checkpoint, settings, unit FROM level"
SELECT_RECORDS = (
    "SELECT r.sequence, r.duplicate_of, r.finished_s, r.core_s, r.accepted, r.new_minimum, "
    "r.melted, r.temperature_ev_per_atom, r.current, r.best, r.is_target, c.number, c.asked_s, "
    "m.data, c.source, c.parents, c.detail, c.numbers, c.cell, c.scaled "
    "FROM record r JOIN candidate c ON c.number = r.candidate "
    "LEFT JOIN memo m ON m.candidate = r.candidate "
    "WHERE r.sequence > ? ORDER BY r.sequence LIMIT ?"
)
SELECT_RECORD = (
    "SELECT r.sequence, r.duplicate_of, r.finished_s, r.core_s, r.accepted, r.new_minimum, "
    "r.melted, r.temperature_ev_per_atom, r.current, r.best, r.is_target, c.number, c.asked_s, "
    "NULL, c.source, c.parents, c.detail, c.numbers, c.cell, c.scaled "
    "FROM record r JOIN candidate c ON c.number = r.candidate WHERE r.candidate = ?"
)
SELECT_OUTCOMES_OF_RECORD = (
    "SELECT candidate, tier, status, reason, message, wall_s, level, energy_ev, enthalpy_ev, "
    "max_force_ev_per_angstrom, max_stress_gpa, converged, steps, evaluations, numbers, cell, "
    "scaled, forces, stress_gpa FROM outcome WHERE candidate = ? ORDER BY position"
)
SELECT_OUTCOMES_OF_TIERS = (
    "SELECT candidate, tier, status, reason, message, wall_s, level, energy_ev, enthalpy_ev, "
    "max_force_ev_per_angstrom, max_stress_gpa, converged, steps, evaluations, numbers, cell, "
    "scaled, forces, stress_gpa FROM outcome WHERE tier IN (?, ?) ORDER BY candidate, position"
)
SELECT_STATUSES = "SELECT candidate, status FROM outcome WHERE tier = ? ORDER BY position"
SELECT_SUMMARY = (
    "SELECT r.candidate, o.tier, o.status, o.reason, o.enthalpy_ev, "
    "CASE WHEN o.tier LIKE 'polished%' THEN coalesce((SELECT length(n.numbers) / 8 FROM outcome n "
    "WHERE n.candidate = o.candidate AND n.position = o.position), c.n_atoms) ELSE c.n_atoms END, "
    "r.duplicate_of "
    "FROM record r JOIN candidate c INDEXED BY candidate_summary ON c.number = r.candidate "
    "LEFT JOIN outcome o ON o.candidate = r.candidate ORDER BY r.candidate, o.position"
)
SELECT_HISTORY = (
    "SELECT r.candidate, c.source, c.n_atoms, r.current, r.melted, r.new_minimum, o.tier, "
    "o.status, o.reason, o.enthalpy_ev, o.converged, o.level "
    "FROM record r JOIN candidate c INDEXED BY candidate_summary ON c.number = r.candidate "
    "LEFT JOIN outcome o ON o.candidate = r.candidate ORDER BY r.sequence, o.position"
)
SELECT_SEARCH = (
    "SELECT r.candidate, c.source, c.parents, c.detail, c.n_atoms, r.duplicate_of, o.tier, "
    "o.status, o.reason, o.enthalpy_ev, o.evaluations, o.wall_s, r.accepted "
    "FROM record r JOIN candidate c ON c.number = r.candidate "
    "LEFT JOIN outcome o ON o.candidate = r.candidate ORDER BY r.sequence, o.position"
)
SELECT_POINTS = (
    "SELECT r.candidate, c.source, c.n_atoms, o.enthalpy_ev, r.core_s, o.cell "
    "FROM record r JOIN candidate c ON c.number = r.candidate "
    "LEFT JOIN outcome o ON o.candidate = r.candidate AND o.tier = ? AND o.status = 'relaxed' "
    "ORDER BY r.sequence"
)
SELECT_TRAJECTORY = (
    "SELECT r.candidate, c.source, c.n_atoms, o.status, o.enthalpy_ev, o.level "
    "FROM record r JOIN candidate c INDEXED BY candidate_summary ON c.number = r.candidate "
    "LEFT JOIN outcome o ON o.candidate = r.candidate AND o.tier = ? "
    "ORDER BY r.sequence, o.position"
)
SELECT_FAILURE_EXAMPLES = (
    "SELECT o.tier, o.reason, count(*), min(o.candidate), o.message FROM outcome o "
    "WHERE o.status != 'relaxed' AND NOT EXISTS (SELECT 1 FROM outcome n WHERE "
    "n.candidate = o.candidate AND n.tier = o.tier AND n.position > o.position) "
    "GROUP BY o.tier, o.reason ORDER BY 3 DESC, 1, 2"
)
SELECT_ORIGIN = "SELECT number, source, parents, detail FROM candidate WHERE number = ?"
SELECT_TIERS = (
    "SELECT o.tier, max(o.position) FROM outcome o JOIN record r ON r.candidate = o.candidate "
    "GROUP BY o.tier ORDER BY 2, 1"
)
SELECT_NUMBERS = "SELECT candidate FROM record ORDER BY candidate"
SELECT_TIMES = "SELECT coalesce(max(finished_s), 0), coalesce(max(core_s), 0) FROM record"
SELECT_OUTCOMES_OF_RECORDS = (
    "SELECT o.candidate, o.tier, o.status, o.reason, o.message, o.wall_s, o.level, o.energy_ev, "
    "o.enthalpy_ev, o.max_force_ev_per_angstrom, o.max_stress_gpa, o.converged, o.steps, "
    "o.evaluations, o.numbers, o.cell, o.scaled, o.forces, o.stress_gpa "
    "FROM outcome o JOIN record r ON r.candidate = o.candidate "
    "WHERE r.sequence > ? AND r.sequence <= ? ORDER BY o.candidate, o.position"
)
SELECT_UNFINISHED = (
    "SELECT number, duplicate_of, asked_s, source, parents, detail, numbers, cell, scaled "
    "FROM candidate WHERE number NOT IN (SELECT candidate FROM record) ORDER BY number"
)
SELECT_OUTCOMES_OF_UNFINISHED = (
    "SELECT candidate, tier, status, reason, message, wall_s, level, energy_ev, "
    "enthalpy_ev, max_force_ev_per_angstrom, max_stress_gpa, converged, steps, "
    "evaluations, numbers, cell, scaled, forces, stress_gpa "
    "FROM outcome WHERE candidate NOT IN (SELECT candidate FROM record) "
    "ORDER BY candidate, position"
)
SELECT_EVENTS = "SELECT time_s, kind, data FROM event WHERE ?1 IS NULL OR kind = ?1 ORDER BY id"


def of_version(statement: str, version: int) -> str:
    """Return a statement as a store of this version takes it."""
    if version != WITHOUT_MEMOS:
        return statement
    without = statement.replace("m.data", "NULL").replace("INDEXED BY candidate_summary ", "")
    return without.replace("LEFT JOIN memo m ON m.candidate = r.candidate ", "")
