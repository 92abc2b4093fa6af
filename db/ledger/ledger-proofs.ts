import { record } from '../messages/events.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import type { Proof } from './ledger-verify.ts'

/** A proof that has not ended by then has died with its process; another does it. */
const PROOF_HOURS_MAX = 2

/** The last proof that was brought to an end. */
export interface Proved {
  /** The day, in UTC, on which the night ended. */
  night: string
  endedAt: Date
  postings: number
  /** The first break, in words; null: none. */
  broken: string | null
}

/**
 * Takes tonight's proof upon this process: once a day from `hour` (UTC) on, of however many processes one.
 * @returns the night, or null: it is too early, or somebody has it
 */
export async function claim(db: Db, hour: number): Promise<string | null> {
  const [row] = await db.sql<{ night: string }[]>`
    insert into ledger_proofs as p (night, started_at)
    select (now() at time zone 'UTC')::date, now() where extract(hour from now() at time zone 'UTC') >= ${hour}::int
    on conflict (night) do update set started_at = now()
      where p.ended_at is null and p.started_at < now() - make_interval(hours => ${PROOF_HOURS_MAX})
    returning night`
  return row?.night ?? null
}

/** Gives tonight's proof back, for the next to take. */
export async function giveBack(db: Db, night: string): Promise<void> {
  await db.sql`delete from ledger_proofs where night = ${night}::date and ended_at is null`
}

/** Writes what came of it. */
export async function finish(tx: Tx, night: string, { broken, ...counts }: Proof): Promise<void> {
  await tx`
    update ledger_proofs set ended_at = now(), postings = ${counts.postings}, broken = ${broken}
    where night = ${night}::date`
  await record(tx, broken === null ? 'ledger.proved' : 'ledger.broken', { data: { night, ...counts, broken } })
}

/** The last proof there was; null: none yet. */
export async function last(q: Queryable): Promise<Proved | null> {
  const [row] = await q<Proved[]>`
    select night, ended_at, postings, broken from ledger_proofs where ended_at is not null order by night desc limit 1`
  return row ?? null
}
