import type { Actor } from '../../../db/platform/actor.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as imports from '../../../db/powerbank/user-import.ts'
import type { AppContext } from '../../context.ts'
import { type Checked, existing, type RowError } from './import-rows.ts'

/** People in one transaction: short enough that nobody waits for it, and that progress is seen. */
const chunkRows = 500
const logEveryRows = 1_000
/** How many are told and kept; a file that is wrong throughout is wrong in the same way. */
const errorsMax = 1_000

/** What came of a table. */
export interface Outcome {
  created: { row: number; userId: number }[]
  /** In the file's order, at most 1,000. */
  errors: RowError[]
  errorsOmitted: number
}

/** What is wrong with the table, in its order, as much of it as is told. */
export function allErrors(checked: Checked, taken: readonly imports.Taken[]) {
  const all = [...checked.errors, ...existing(taken, checked)].sort((a, b) => a.row - b.row)
  return { errors: all.slice(0, errorsMax), errorsOmitted: Math.max(0, all.length - errorsMax) }
}

/**
 * Takes the valid rows of a table in, some at a time; each time the import's row says how far it has come. What stops
 * it is written there too and thrown on; those who were taken in by then stay, and the same file may be sent again.
 */
export async function run(
  { db, log }: Pick<AppContext, 'db' | 'log'>,
  actor: Actor,
  importId: number,
  checked: Checked,
): Promise<Outcome> {
  const { valid } = checked
  const created: Outcome['created'] = []
  const taken: imports.Taken[] = []
  try {
    for (let at = 0; at < valid.length; at += chunkRows) {
      const chunk = valid.slice(at, at + chunkRows)
      const added = await db.transaction((tx) => imports.add(tx, actor, importId, chunk))
      created.push(...added.created)
      taken.push(...added.taken)
      const processed = at + chunk.length
      if (processed % logEveryRows === 0 || processed === valid.length)
        log('import.progressed', { importId, processed, total: valid.length, created: created.length })
    }
    const outcome = { created, ...allErrors(checked, taken) }
    await db.transaction((tx) => imports.finish(tx, actor, importId, outcome))
    return outcome
  } catch (error) {
    const failure = error instanceof Refused ? error.code : 'failed'
    await db
      .transaction((tx) => imports.finish(tx, actor, importId, { ...allErrors(checked, taken), failure }))
      // Nothing more can be written: after a while of silence the import counts as interrupted.
      .catch((again: unknown) => log('import.unfinished', { importId, error: again }))
    throw error
  }
}
