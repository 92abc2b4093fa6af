import { Gauge, type Registry } from 'prom-client'
import * as proofs from '../db/ledger/ledger-proofs.ts'
import { verify } from '../db/ledger/ledger-verify.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'

interface ProverOptions {
  db: Db
  log: Log
  metrics: Registry
  /** Of the day, in UTC, from which on the ledger is proved. */
  hour: number
}

const msPerSecond = 1_000

/**
 * What the clock asks for again and again: proves the ledger when its hour has come and no process has done it, and
 * keeps the gauges of every process at what came of the last proof. A break is an error in the log, an event, a row.
 */
export function prover({ db, log, metrics, hour }: ProverOptions): (signal: AbortSignal) => Promise<void> {
  const broken = new Gauge({
    name: 'voltbay_ledger_broken',
    help: '1 when the last proof of the ledger found a break, 0 when it found none.',
    registers: [metrics],
  })
  const provedAt = new Gauge({
    name: 'voltbay_ledger_proved_timestamp_seconds',
    help: 'When the last proof of the ledger ended.',
    registers: [metrics],
  })

  async function prove(night: string, signal: AbortSignal): Promise<void> {
    const began = performance.now()
    const proof = await verify(db, { signal })
    await db.transaction((tx) => proofs.finish(tx, night, proof))
    const { broken: where, ...counts } = proof
    const about = { night, ...counts, ms: Math.round(performance.now() - began) }
    if (where === null) log('ledger.proved', about)
    else log('ledger.broken', { ...about, error: new Error(where) })
  }

  return async (signal) => {
    const night = await proofs.claim(db, hour)
    try {
      if (night !== null) await prove(night, signal)
    } catch (error) {
      if (!signal.aborted) throw error
      await proofs.giveBack(db, night!)
    }
    const last = await proofs.last(db.sql)
    if (!last) return
    broken.set(last.broken === null ? 0 : 1)
    provedAt.set(last.endedAt.getTime() / msPerSecond)
  }
}
