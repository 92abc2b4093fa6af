import type { Queryable, Tx } from '../postgres/connect.ts'

/** Telemetry outside these marks a bank as faulty (docs/contracts.md 4.8). */
const LEVEL_MIN_PERCENT = 5
const MILLIVOLTS_MIN = 3_000
const MILLIVOLTS_MAX = 4_500
const CELSIUS_MIN = -10
const CELSIUS_MAX = 60

/** A bank in a slot, with what a choice is made by. */
export interface Candidate {
  stationId: number
  slotNumber: number
  powerbankId: number
  serialNumber: string
  /** What cabinets call it; null: a bank no cabinet has named yet. */
  deviceId: string | null
  powerbankStatus: string
  level: number | null
  /** Millivolts. */
  voltage: number | null
  /** Degrees Celsius. */
  temperature: number | null
  soh: number
  hasErrors: boolean
  /** It, or its charge, could not be read when the slots were last listed: not for rent until it is. */
  isUnread: boolean
  onLoan: boolean
  lastUpdate: Date
}

/** What somebody could borrow now. */
export const isFree = (bank: Candidate) => bank.powerbankStatus === 'active' && !bank.onLoan && !bank.isUnread

/** Why a bank was chosen, in numbers; kept with the order. */
export interface Reason {
  /** How many there were to choose from, and how many of them without a fault. */
  total: number
  healthy: number
  level: number | null
  /** What set it apart from the next; `rest`: better ones were just being lent to others. */
  decidedBy: 'only' | 'health' | 'level' | 'soh' | 'slot' | 'rest'
}

/** Explains a choice among the free banks of a station, which are given the best first. */
export function explain(free: readonly Candidate[], chosen: Candidate): Reason {
  const next = free[1]
  const decidedBy = (): Reason['decidedBy'] => {
    if (free[0]?.powerbankId !== chosen.powerbankId) return 'rest'
    if (!next) return 'only'
    if (next.hasErrors !== chosen.hasErrors) return 'health'
    if (next.level !== chosen.level) return 'level'
    return next.soh === chosen.soh ? 'slot' : 'soh'
  }
  const healthy = free.filter((bank) => !bank.hasErrors).length
  return { total: free.length, healthy, level: chosen.level, decidedBy: decidedBy() }
}

/** SQL: the banks in slots (aliases `sp`, `p`), with health; telemetry a dialect does not send is no fault. */
export const candidates = (q: Queryable, where: ReturnType<Queryable>) => q`
  select sp.station_id, sp.slot_number, p.id as powerbank_id, p.serial_number, p.device_id, p.status as powerbank_status,
    sp.level, sp.voltage, sp.temperature, p.soh, sp.last_update, sp.is_unread,
    coalesce(sp.level < ${LEVEL_MIN_PERCENT}, false)
      or coalesce(sp.voltage not between ${MILLIVOLTS_MIN} and ${MILLIVOLTS_MAX}, false)
      or coalesce(sp.temperature not between ${CELSIUS_MIN} and ${CELSIUS_MAX}, false)
      or sp.powerbank_error or p.error_type_id is not null as has_errors,
    exists (select 1 from orders o where o.powerbank_id = p.id and o.status in ('pending', 'borrow') and o.deleted_at is null) as on_loan
  from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id and p.deleted_at is null
  where ${where}`

/** SQL: those of one station. */
const inside = (q: Queryable, stationId: number) => candidates(q, q`sp.station_id = ${stationId}`)

/** SQL: healthy first, then the fullest, the soundest, the lowest slot: the same answer to everybody who asks. */
export const order = (q: Queryable) => q`has_errors, level desc nulls last, soh desc, slot_number`

/** All banks of a station, the best choice first. */
export const inStation = (q: Queryable, stationId: number) =>
  q<Candidate[]>`select * from (${inside(q, stationId)}) c order by ${order(q)}`

/**
 * One bank of a station, by its slot or its id, held against other borrowers until the transaction ends. Its place is
 * held as well: whoever waited for the bank would else be told where it was before.
 */
export async function hold(
  tx: Tx,
  stationId: number,
  by: { slot: number } | { powerbankId: number },
): Promise<Candidate | undefined> {
  const which = 'slot' in by ? tx`and sp.slot_number = ${by.slot}` : tx`and sp.powerbank_id = ${by.powerbankId}`
  const [held] = await tx<Candidate[]>`${inside(tx, stationId)} ${which} for no key update of p for key share of sp`
  return held
}

/**
 * The best free bank of a station, held until the transaction ends; one that somebody else is just taking is passed
 * over. Where that leaves none they may only have been looked at, by a report of the cabinet: waits, and looks again.
 */
export async function holdBest(tx: Tx, stationId: number): Promise<Candidate | undefined> {
  const best = await holdFree(tx, stationId)
  if (best) return best
  await tx`
    select 1 from powerbanks where id in (select powerbank_id from station_powerbanks where station_id = ${stationId})
    order by id for no key update`
  return holdFree(tx, stationId)
}

async function holdFree(tx: Tx, stationId: number): Promise<Candidate | undefined> {
  const [held] = await tx<Candidate[]>`
    select * from (${inside(tx, stationId)} and p.status = 'active' and not sp.is_unread
      and not exists (select 1 from orders o where o.powerbank_id = p.id and o.status in ('pending', 'borrow') and o.deleted_at is null)
      order by ${order(tx)} limit 1 for no key update of p skip locked for key share of sp) c`
  return held
}
