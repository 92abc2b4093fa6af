import type { Db } from '../../db/postgres/connect.ts'
import { borrow as verb } from '../../db/powerbank/borrow.ts'
import { caseOf, firstOf, forget, prepareCases } from './borrow-cases.ts'
import type { BorrowChild } from './borrow-child.ts'
import { alternate, compared } from './pairs.ts'
import { pgbench } from './pgbench.ts'
import type { Bench } from './stage.ts'
import { recording, type Statement } from './statements.ts'
import { type Row, thousands } from './table.ts'

const clients = 16
const ratioMin = 0.8
/** The case that is recorded: its slot is no other parameter's value. */
const recordedCase = 6

/** The statements of one real borrow. */
async function record(db: Db, unitId: number): Promise<Statement[]> {
  const { stationId, userId, slot, powerbankId } = caseOf(recordedCase)
  const actor = { userId, roles: [{ role: 'user', orgUnitId: unitId }] }
  const { statements, orderId, commandId } = await db.transaction(async (tx) => {
    const recorded = recording(tx)
    const { orderId, commandId } = await verb(recorded.tx, actor, { stationId, userId, choice: { slot } })
    return { ...recorded, orderId, commandId }
  })
  if (orderId < firstOf.orderId || commandId < firstOf.commandId) throw new Error('ids that other parameters may share')
  return statements({ stationId, userId, slot, powerbankId, orderId, commandId })
}

/**
 * The borrow transaction through `db.transaction`, the same statements by a bare postgres.js client and by pgbench. All
 * run the same cases on the same rows; nobody waits for anybody else's station, user or bank.
 */
export async function borrow(bench: Bench): Promise<Row[]> {
  const { quick, start, progress, note } = bench
  const each = quick ? 64 : 512
  const { db, url } = await bench.database()
  const { unitId } = await prepareCases(db, clients * each)
  const statements = await record(db, unitId)
  const tool = await pgbench(statements, each)
  if (!tool) note('borrow: pgbench is not installed here, so nothing is compared with it.')
  const rows: Row[] = []
  for (const isDurable of [true, false]) {
    progress(`  ${isDurable ? 'durable' : 'not durable'}`)
    await db.sql`alter database ${db.sql(new URL(url).pathname.slice(1))} set synchronous_commit = ${db.sql.unsafe(isDurable ? 'on' : 'off')}`
    const child = start<BorrowChild>('borrow-child.ts', { isUnderTest: true })
    await child.ask('open', { url, clients, unitId })
    const fresh = async (run: () => Promise<number>) => {
      await forget(db)
      return await run()
    }
    const ways: Record<string, () => Promise<number>> = {
      verb: () => fresh(() => child.ask('verb', { clients, each })),
      bare: () => fresh(() => child.ask('bare', { clients, each, statements })),
    }
    if (tool) ways.pgbench = () => fresh(() => tool.run({ url, clients, each }))
    const rounds = await alternate(quick ? 3 : 7, ways)
    await child.ask('close', undefined)
    await child.end()
    const row = (name: string, baseline: 'bare' | 'pgbench'): Row => {
      const figures = compared(rounds as Record<'verb' | 'bare' | 'pgbench', number>[], (rate) => rate, [
        'verb',
        baseline,
      ])
      return {
        what: `borrow transaction, ${clients} clients, ${isDurable ? 'durable' : 'synchronous_commit off'}`,
        ours: `${thousands(figures.ours)}/s`,
        baseline: `${name} ${thousands(figures.baseline)}/s`,
        ratio: figures.ratio,
        goal: `≥ ${ratioMin}×`,
        met: figures.ratio.median >= ratioMin,
      }
    }
    rows.push(row('bare postgres.js', 'bare'), ...(tool ? [row('pgbench', 'pgbench')] : []))
  }
  note(`borrow: ${statements.length} statements between begin and commit.`)
  tool?.end()
  return rows
}
