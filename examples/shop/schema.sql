CREATE TABLE IF NOT EXISTS customer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL,
    is_owner INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS purchase (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer,
    product TEXT NOT NULL,
    paid INTEGER NOT NULL CHECK (paid >= 0), -- cents, after credit
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND paid),
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY,
    purchase_id INTEGER NOT NULL REFERENCES purchase,
    amount INTEGER NOT NULL CHECK (amount > 0)
);

-- What a customer may spend here: rewards from ReferralHub, and what they paid with them.
CREATE TABLE IF NOT EXISTS credit (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer,
    amount INTEGER NOT NULL, -- cents; below zero where it was spent
    reward INTEGER UNIQUE, -- its number at ReferralHub
    purchase_id INTEGER REFERENCES purchase
);

-- What ReferralHub is to be told, written with its cause, and what it answered.
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    status TEXT,
    reason TEXT
);
