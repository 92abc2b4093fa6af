import postgres from 'postgres'
import { connect, type Db } from '../../db/postgres/connect.ts'
import { borrow } from '../../db/powerbank/borrow.ts'
import { caseOf } from './borrow-cases.ts'
import { serve, usage } from './child.ts'
import type { Statement } from './statements.ts'

interface Run {
  clients: number
  /** Transactions of each client. */
  each: number
}

let db: Db | undefined
let bare: postgres.Sql | undefined
let unit = 0

/** All clients at once, each with one transaction at a time over cases of its own; transactions a second. */
async function drive({ clients, each }: Run, once: (n: number) => Promise<unknown>): Promise<number> {
  const from = performance.now()
  const client = async (_: unknown, at: number) => {
    for (let n = 0; n < each; n++) await once(at * each + n)
  }
  await Promise.all(Array.from({ length: clients }, client))
  return (clients * each * 1_000) / (performance.now() - from)
}

const skills = {
  open({ url, clients, unitId }: { url: string; clients: number; unitId: number }) {
    db = connect(url, { max: clients })
    bare = postgres(url, { max: clients, onnotice: () => {} })
    unit = unitId
  },
  /** The verb, as the API calls it. */
  verb: (run: Run) =>
    drive(run, (n) => {
      const { stationId, userId, slot } = caseOf(n)
      const actor = { userId, roles: [{ role: 'user', orgUnitId: unit }] }
      return db!.transaction((tx) => borrow(tx, actor, { stationId, userId, choice: { slot } }))
    }),
  /** The statements of the verb, and nothing else. */
  bare: ({ statements, ...run }: Run & { statements: Statement[] }) =>
    drive(run, (n) =>
      bare!.begin(async (tx) => {
        const values: Record<string, number> = { ...caseOf(n) }
        for (const { text, parameters, yields } of statements) {
          const said = parameters.map((one) => ('of' in one ? values[one.of]! : one.value))
          const [row] = await tx.unsafe(text, said, { prepare: true })
          if (yields) values[yields] = row!.id
        }
      }),
    ),
  usage,
  async close() {
    await db?.close()
    await bare?.end()
  },
}

/** For `start`. */
export type BorrowChild = typeof skills

serve(skills)
