import { randomBytes } from 'node:crypto'
import * as keys from './devices/keys.ts'
import * as terminals from './paygo/terminals.ts'
import type { Queryable, Tx } from './postgres/connect.ts'

const KEY_BYTES = 32
const PLACES = ['Касса у входа', 'Касса в зале', 'Киоск на перроне']
const codeOf = (n: number) => `DEMOT${String(n + 1).padStart(3, '0')}`

/** A payment terminal of the demo. Its key goes to the simulator by standard input, never to a log. */
export interface DemoTerminal {
  terminalCode: string
  key: string
}

/** Registers those that never were there, by the verb behind `npm run terminal -- create`. */
export async function registerTerminals(tx: Tx, keysSecret: string): Promise<void> {
  const codes = PLACES.map((_, n) => codeOf(n))
  const there = await tx<{ terminalCode: string }[]>`
    select terminal_code from terminals where terminal_code = any(${codes}::text[])`
  const known = new Set(there.map(({ terminalCode }) => terminalCode))
  for (const [n, name] of PLACES.entries()) {
    if (known.has(codeOf(n))) continue
    const about = { name, location: 'Демонстрационная сеть', address: 'Москва, ул. Примерная, 1' }
    const methods = ['nfc', 'card_insert'] as const
    const key = randomBytes(KEY_BYTES).toString('hex')
    await terminals.create(tx, null, { serial: codeOf(n), key, ...about, methods }, keysSecret)
  }
}

/** The terminals as they are to be simulated. */
export async function demoTerminals(q: Queryable, keysSecret: string): Promise<DemoTerminal[]> {
  const rows = await q<{ id: number; terminalCode: string }[]>`
    select id, terminal_code from terminals
    where terminal_code = any(${PLACES.map((_, n) => codeOf(n))}::text[]) and is_active and deleted_at is null order by id`
  const found: DemoTerminal[] = []
  for (const { id, terminalCode } of rows) {
    const [key] = await keys.valid(q, id, keysSecret)
    if (key !== undefined) found.push({ terminalCode, key })
  }
  return found
}
