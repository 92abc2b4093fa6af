import { randomBytes } from 'node:crypto'
import * as keys from './devices/keys.ts'
import * as terminals from './paygo/terminals.ts'
import type { Queryable, Tx } from './postgres/connect.ts'

const KEY_BYTES = 32
const PLACES = ['Касса у входа', 'Касса в зале', 'Киоск на перроне']
const codeOf = (n: number) => `DEMOT${String(n + 1).padStart(3, '0')}`

/** Beside a cabinet; rentals of the demo are short, so minutes are what they cost. Kopecks. */
const KIOSK = codeOf(PLACES.length - 1)
const PRICES = {
  ...{ freeMinutes: 0, periodMinutes: 1, periodMinor: 1_000 },
  ...{ dayMinor: 30_000, depositMinor: 200_000, lostMinor: 150_000 },
}

/** A payment terminal of the demo. Its key goes to the simulator by standard input, never to a log. */
export interface DemoTerminal {
  terminalCode: string
  key: string
  /** Of a kiosk. */
  depositMinor?: number
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
    const deposit = terminalCode === KIOSK ? { depositMinor: PRICES.depositMinor } : {}
    if (key !== undefined) found.push({ terminalCode, key, ...deposit })
  }
  return found
}

/** The last of them stands beside a cabinet of the demo's unit, whose rentals have a price. Made once; later it is as people leave it. */
export async function registerKiosk(tx: Tx, orgUnitId: number): Promise<void> {
  const { count } = await tx`
    insert into kiosk_tariffs (org_unit_id, free_minutes, period_minutes, period_minor, day_minor, deposit_minor, lost_minor)
    select ${orgUnitId}, ${PRICES.freeMinutes}, ${PRICES.periodMinutes}, ${PRICES.periodMinor}, ${PRICES.dayMinor},
      ${PRICES.depositMinor}, ${PRICES.lostMinor}
    where not exists (select from kiosk_tariffs where org_unit_id = ${orgUnitId})`
  if (count === 0) return
  await tx`
    insert into kiosks (terminal_id, station_id)
    select t.id, (select min(id) from stations where org_unit_id = ${orgUnitId} and deleted_at is null)
    from terminals t where t.terminal_code = ${KIOSK} and t.deleted_at is null on conflict do nothing`
}
