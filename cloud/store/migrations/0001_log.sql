-- The log and what it is filed by. No constraint here can refuse what a clinic wrote: keys are dots, and dots are unique for ever.

CREATE TABLE clinic (
    id bytea PRIMARY KEY,
    name text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    enrolled_at timestamptz,
    changed bigint NOT NULL DEFAULT 0
);
CREATE INDEX clinic_by_change ON clinic (changed);
CREATE SEQUENCE clinic_change;

CREATE TABLE node (
    alias integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    clinic bytea NOT NULL,
    epoch bigint NOT NULL,
    certificate bytea NOT NULL,
    not_after timestamptz NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    last_contact timestamptz,
    lag_ms bigint,
    clock_offset_ms bigint,
    software text
);
CREATE INDEX node_of_clinic ON node (clinic);

CREATE TABLE enrolment_code (
    secret_hash bytea PRIMARY KEY,
    clinic bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE operation (
    author integer NOT NULL,
    epoch bigint NOT NULL,
    lane text NOT NULL,
    sequence bigint NOT NULL,
    group_first bigint NOT NULL,
    hlc bigint NOT NULL,
    type text NOT NULL,
    record bytea NOT NULL,
    patient bytea,
    scope bytea NOT NULL,
    actor bytea,
    set_aside text,
    leaf bytea NOT NULL,
    body bytea NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (author, epoch, lane, sequence)
) PARTITION BY HASH (author);
CREATE INDEX operation_of_subject ON operation ((coalesce(patient, record)), hlc);
CREATE INDEX operation_set_aside ON operation (author, set_aside) WHERE set_aside IS NOT NULL;

CREATE TABLE lane_head (
    author integer NOT NULL,
    epoch bigint NOT NULL,
    lane text NOT NULL,
    sequence bigint NOT NULL,
    hash bytea NOT NULL,
    hlc bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (author, epoch, lane)
);

CREATE TABLE seed (
    subject bytea NOT NULL,
    author integer NOT NULL,
    seed bytea NOT NULL,
    PRIMARY KEY (subject, author)
);

CREATE TABLE request_signature (
    author integer NOT NULL,
    signature bytea NOT NULL,
    statement bytea NOT NULL,
    lanes text[] NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (author, signature)
);

CREATE TABLE fork (
    author integer NOT NULL,
    epoch bigint NOT NULL,
    lane text NOT NULL,
    sequence bigint NOT NULL,
    signature bytea NOT NULL,
    statement bytea NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (author, epoch, lane, sequence)
);

CREATE TABLE entitlement (
    subject bytea NOT NULL,
    clinic bytea NOT NULL,
    source bytea NOT NULL,
    until date,
    why text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, clinic, source)
);
CREATE INDEX entitlement_of_clinic ON entitlement (clinic, subject);

CREATE TABLE feed (
    clinic bytea NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    author integer NOT NULL,
    epoch bigint NOT NULL,
    lane text NOT NULL,
    sequence bigint NOT NULL,
    group_first bigint NOT NULL,
    subject bytea NOT NULL,
    PRIMARY KEY (clinic, xid, seq)
) PARTITION BY HASH (clinic);

CREATE TABLE conflict (
    scope text NOT NULL,
    type text NOT NULL,
    record text NOT NULL,
    register text NOT NULL,
    class text NOT NULL,
    patient text,
    since bigint NOT NULL,
    PRIMARY KEY (scope, type, record, register)
);

DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format('CREATE TABLE operation_%s PARTITION OF operation FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TABLE feed_%s PARTITION OF feed FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
    END LOOP;
END $$;
