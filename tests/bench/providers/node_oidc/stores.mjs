// Where node-oidc-provider keeps its records: one table for all its models, one for accounts.
// Each store gives { Adapter, account(username) }. Adapter undefined means the library's own memory.

const now = () => Math.floor(Date.now() / 1000);

// Models that die together when their grant is revoked.
const OF_A_GRANT = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

const TABLES = (json) => `
  CREATE TABLE IF NOT EXISTS oidc (
    model TEXT NOT NULL, id TEXT NOT NULL, payload ${json} NOT NULL, grant_id TEXT, uid TEXT,
    expires_at BIGINT, consumed_at BIGINT, PRIMARY KEY (model, id));
  CREATE INDEX IF NOT EXISTS oidc_by_grant ON oidc (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS oidc_by_uid ON oidc (uid) WHERE uid IS NOT NULL;
  CREATE TABLE IF NOT EXISTS account (username TEXT PRIMARY KEY, hash TEXT NOT NULL, claims TEXT NOT NULL);`;

// The statements both databases share; `$` is replaced by ? for SQLite.
const SQL = {
  upsert: `INSERT INTO oidc (model, id, payload, grant_id, uid, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
    uid = excluded.uid, expires_at = excluded.expires_at`,
  find: 'SELECT payload, expires_at, consumed_at FROM oidc WHERE model = $1 AND id = $2',
  findByUid: 'SELECT payload, expires_at, consumed_at FROM oidc WHERE uid = $1 AND model = $2',
  destroy: 'DELETE FROM oidc WHERE model = $1 AND id = $2',
  consume: 'UPDATE oidc SET consumed_at = $1 WHERE model = $2 AND id = $3',
  revoke: 'DELETE FROM oidc WHERE grant_id = $1 AND model = $2',
  account: 'SELECT hash, claims FROM account WHERE username = $1',
  addAccount: 'INSERT INTO account (username, hash, claims) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
};

// The library's adapter interface over two functions: `first` (one row or undefined) and `run`.
function adapterOver({ first, run }) {
  const alive = (row) => {
    if (!row || (row.expires_at && Number(row.expires_at) < now())) return undefined;
    const payload = typeof row.payload === 'string' ? JSON.parse(row.payload) : row.payload;
    return row.consumed_at ? { ...payload, consumed: Number(row.consumed_at) } : payload;
  };
  return class {
    constructor(model) { this.model = model; }

    async upsert(id, payload, lifetime) {
      const grant = OF_A_GRANT.has(this.model) ? payload.grantId ?? null : null;
      const uid = this.model === 'Session' ? payload.uid ?? null : null;
      const expires = lifetime ? now() + lifetime : null;
      await run('upsert', [this.model, id, JSON.stringify(payload), grant, uid, expires]);
    }

    async find(id) { return alive(await first('find', [this.model, id])); }

    async findByUid(uid) { return alive(await first('findByUid', [uid, this.model])); }

    async findByUserCode() { return undefined; }

    async destroy(id) { await run('destroy', [this.model, id]); }

    async consume(id) { await run('consume', [now(), this.model, id]); }

    async revokeByGrantId(grant) { await run('revoke', [grant, this.model]); }
  };
}

const accountFrom = (row) => row && { hash: row.hash, claims: JSON.parse(row.claims) };

const memory = async ({ accounts }) => {
  const known = new Map(accounts.map((account) => [account.username, account]));
  return { Adapter: undefined, account: async (username) => known.get(username) };
};

const sqlite = async ({ accounts, database, isFirst }) => {
  const { default: Database } = await import('better-sqlite3');
  const db = new Database(database);
  // Not durable: NORMAL does not sync on commit. That is how the reference figures were taken.
  for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', 'busy_timeout = 10000']) db.pragma(pragma);
  db.exec(TABLES('TEXT'));
  const prepared = Object.fromEntries(
    Object.entries(SQL).map(([name, text]) => [name, db.prepare(text.replaceAll(/\$\d/g, '?'))]),
  );
  if (isFirst) {
    db.transaction(() => {
      for (const a of accounts) prepared.addAccount.run(a.username, a.hash, JSON.stringify(a.claims));
    })();
  }
  const Adapter = adapterOver({
    first: (name, values) => prepared[name].get(...values),
    run: (name, values) => prepared[name].run(...values),
  });
  return { Adapter, account: async (username) => accountFrom(prepared.account.get(username)) };
};

const postgresql = async ({ accounts, database, isFirst }) => {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: database, max: 10 });
  const run = (name, values) => pool.query({ name, text: SQL[name], values });
  const first = async (name, values) => (await run(name, values)).rows[0];
  if (isFirst) {
    await pool.query(TABLES('JSONB'));
    for (const a of accounts) await run('addAccount', [a.username, a.hash, JSON.stringify(a.claims)]);
  }
  return {
    Adapter: adapterOver({ first, run }),
    account: async (username) => accountFrom(await first('account', [username])),
  };
};

export const stores = { memory, sqlite, postgresql };
