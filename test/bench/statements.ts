import type { Tx } from '../../db/postgres/connect.ts'
import type { BorrowCase } from './borrow-cases.ts'

/** A parameter: said as it is, or another in each transaction. */
type Parameter = { value: string | number | boolean | null } | { of: keyof BorrowCase | Yield }

/** What a statement's first row gives to later ones. */
export type Yield = 'commandId' | 'orderId'

/** One statement of a real transaction, as the driver sent it. */
export interface Statement {
  /** With `$1`, `$2` …  */
  text: string
  parameters: Parameter[]
  yields: Yield | null
}

/** What the driver keeps of a query it has sent (postgres.js 3.4.9, src/connection.js, `build`). */
interface Sent {
  string?: string
  parameters?: { value: unknown }[] | unknown[]
}

/** A transaction that remembers what is sent through it. Call `sent` when it is over. */
export function watching(tx: Tx): { tx: Tx; sent: () => { text: string; parameters: readonly unknown[] }[] } {
  const made: Sent[] = []
  const watched = new Proxy(tx, {
    apply(target, self, args) {
      const query = Reflect.apply(target as never, self, args) as Sent
      made.push(query)
      return query
    },
  })
  // A part of another query was never sent by itself.
  const sent = () =>
    made.flatMap(({ string, parameters = [] }) => (string ? [{ text: string, parameters: parameters.map(said) }] : []))
  return { tx: watched, sent }
}

const said = (given: unknown) => (typeof given === 'object' && given !== null && 'value' in given ? given.value : given)

/** The same, with what differs from transaction to transaction named. */
export function recording(tx: Tx): {
  tx: Tx
  statements: (known: Record<keyof BorrowCase | Yield, number>) => Statement[]
} {
  const { tx: watched, sent } = watching(tx)
  return {
    tx: watched,
    statements: (known) => sent().map(({ text, parameters }) => statementOf(text, parameters, known)),
  }
}

function statementOf(text: string, parameters: readonly unknown[], known: Record<string, number>): Statement {
  const names = new Map(Object.entries(known).map(([name, value]) => [String(value), name as keyof BorrowCase | Yield]))
  const yields = /insert into device_commands/.test(text)
    ? 'commandId'
    : /insert into orders/.test(text)
      ? 'orderId'
      : null
  return {
    text,
    yields,
    parameters: parameters.map((given) => {
      const value = plain(given)
      const of = names.get(String(value))
      return of === undefined ? { value } : { of }
    }),
  }
}

/** A parameter as a bare client would give it. */
function plain(value: unknown): string | number | boolean | null {
  if (Array.isArray(value)) throw new TypeError('an array among the parameters: say here how pgbench spells it')
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return value as string | number | boolean | null
}
