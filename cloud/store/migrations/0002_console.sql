-- The people who look after the cloud, what they looked at, and what was checked.

CREATE TABLE admin_account (
    name text PRIMARY KEY,
    password_hash text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0,
    blocked_until timestamptz
);

CREATE TABLE admin_session (
    token_hash bytea PRIMARY KEY,
    admin text NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE admin_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    admin text NOT NULL,
    action text NOT NULL,
    clinic bytea,
    patient text,
    address text NOT NULL,
    request text NOT NULL,
    detail text
);

CREATE INDEX admin_audit_by_action ON admin_audit (action, address, at);

CREATE TABLE verification (
    author integer NOT NULL,
    epoch bigint NOT NULL,
    lane text NOT NULL,
    checked_at timestamptz NOT NULL,
    verified_to bigint NOT NULL,
    finding text,
    PRIMARY KEY (author, epoch, lane)
);
