import postgres from 'postgres'
import { post } from '../../db/ledger/ledger.ts'
import { connect, type Db, type Tx } from '../../db/postgres/connect.ts'
import { serve, usage } from './child.ts'
import { caseOf, type Place, type Posting } from './ledger-cases.ts'

interface Run {
  clients: number
  /** Postings of each client. */
  each: number
  /** Owners that each client posts for in turn; 0: all clients post for one. */
  owners: number
}

let db: Db | undefined
let bare: postgres.Sql | undefined
let runs = 0
const anyHash = Buffer.alloc(32, 7)

/** All clients at once, each with one posting at a time; postings a second. */
async function drive({ clients, each, owners }: Run, once: (given: Posting) => Promise<unknown>): Promise<number> {
  const run = `${process.pid} ${++runs}`
  const from = performance.now()
  const client = async (_: unknown, at: number) => {
    for (let n = 0; n < each; n++) {
      const owner = owners === 0 ? 0 : at * owners + (n % owners)
      await once(caseOf(owner, `${run} ${at} ${n}`))
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return (clients * each * 1_000) / (performance.now() - from)
}

const skills = {
  open({ url, clients }: { url: string; clients: number }) {
    db = connect(url, { max: clients })
    bare = postgres(url, { max: clients, onnotice: () => {} })
  },
  /** The verb, as the API calls it. */
  verb: (run: Run) => drive(run, (given) => db!.transaction((tx: Tx) => post(tx, given))),
  /** Its two statements and nothing else: no checks, and any hash at all. */
  bare: ({ statements, ...run }: Run & { statements: [Place[], Place[]]; texts: [string, string] }) => {
    const [lock, write] = statements
    const [lockText, writeText] = run.texts
    return drive(run, ({ owner, key }) =>
      bare!.begin(async (tx) => {
        const said = (places: Place[], known: Record<string, any>) =>
          places.map((place) => ('of' in place ? known[place.of] : place.value))
        const known = { ownerId: owner.id, key }
        const [head] = await tx.unsafe(lockText, said(lock, known), { prepare: true })
        const { book_id: bookId, last_seq: lastSeq, posting_id: postingId, at } = head!
        const filled = { ...known, bookId, postingId, at, seq: Number(lastSeq) + 1, hash: anyHash }
        await tx.unsafe(writeText, said(write, filled), { prepare: true })
      }),
    )
  },
  usage,
  async close() {
    await db?.close()
    await bare?.end()
  },
}

/** For `start`. */
export type LedgerChild = typeof skills

serve(skills)
