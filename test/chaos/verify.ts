import type { Queryable } from '../../db/postgres/connect.ts'
import { banksOf } from '../../simulators/cabinet/box.ts'
import type { Ask } from './customer.ts'
import { type Act, type Loan, loansOf } from './physical.ts'
import type { World } from './world.ts'

interface OrderRow {
  id: number
  status: string
  stationId: number
  slotNumber: number | null
  returnStationId: number | null
  returnSlot: number | null
  evidence: string | null
  bankId: string
  key: string | null
  attempts: number
  commandStatus: string
}

const ordersOf = (q: Queryable) => q<OrderRow[]>`
  select o.id, o.status, o.station_id, o.slot_number, o.return_station_id, o.return_slot, o.evidence,
    p.device_id as bank_id, c.idempotency_key as key, c.attempts, c.status as command_status
  from orders o join powerbanks p on p.id = o.powerbank_id left join device_commands c on c.id = o.command_id order by o.id`

/**
 * All that is not as promised, in words: empty when what the database says is what the metal did. Some of it heals
 * while the house still looks; what is left at rest is a broken promise.
 */
export async function wrongs(world: World, { isOver }: { isOver: boolean }): Promise<string[]> {
  const { db, physical, asks } = world
  const orders = await ordersOf(db.sql)
  const loans = loansOf(physical.acts)
  return [
    ...orders.filter(({ status }) => status === 'pending' || (isOver && status === 'borrow')).map(unended),
    ...perBank(orders, loans),
    ...ejectedTwice(orders, physical.ejectsHeard),
    ...asks.flatMap((ask) => brokenWord(ask, orders, loans)),
    ...(await misplaced(world)),
    ...(await untidy(db.sql)),
    ...world.faults,
  ]
}

const unended = (order: OrderRow) => `order ${order.id} has no end: ${JSON.stringify(order)}`

/** Every loan of the metal is one order, told as it was; every order is a loan of the metal, or cancelled. */
function perBank(orders: OrderRow[], loans: Loan[]): string[] {
  const banks = new Set([...orders, ...loans].map(({ bankId }) => bankId))
  return [...banks].flatMap((bankId) => {
    const [mine, real] = [orders, loans].map((list) => list.filter((one) => one.bankId === bankId)) as [
      OrderRow[],
      Loan[],
    ]
    if (explains(mine, real)) return []
    return [`bank ${bankId}: the metal says ${JSON.stringify(real)}, the orders say ${JSON.stringify(mine)}`]
  })
}

/** Do these orders, in their order, tell exactly these loans? */
function explains([order, ...orders]: OrderRow[], loans: Loan[]): boolean {
  if (!order) return loans.length === 0
  const [loan, ...later] = loans
  if (order.status === 'pending') return false
  if (order.status === 'cancelled') {
    if (explains(orders, loans)) return true
    // Out and back in its slot before anybody could look: nobody can tell it from a bank that stayed.
    return loan !== undefined && isUnseen(loan, order) && explains(orders, later)
  }
  return loan !== undefined && tells(order, loan) && explains(orders, later)
}

const isUnseen = ({ from, to }: Loan, { attempts }: OrderRow) =>
  attempts === 1 && to !== null && to.stationId === from.stationId && to.slot === from.slot

const tells = (order: OrderRow, { from, to }: Loan) =>
  order.stationId === from.stationId &&
  order.slotNumber === from.slot &&
  (to === null
    ? order.status === 'borrow'
    : order.status === 'return' && order.returnStationId === to.stationId && order.returnSlot === to.slot)

/** A cabinet hears one eject for one order at most. */
function ejectedTwice(orders: OrderRow[], heard: readonly string[]): string[] {
  const sent = orders.filter(({ attempts }) => attempts > 0).map((order) => `${order.stationId}/${order.slotNumber}`)
  const times = (list: readonly string[], place: string) => list.filter((one) => one === place).length
  const again = [...new Set(heard)].filter((place) => times(heard, place) > times(sent, place))
  return [
    ...again.map((place) => `slot ${place} heard ${times(heard, place)} ejects for ${times(sent, place)} orders`),
    ...orders
      .filter(({ attempts }) => attempts > 1)
      .map(({ id }) => `the eject of order ${id} was sent more than once`),
  ]
}

/**
 * It was taken and put back into the slot it left before any list was without it, and its return reads like one that was
 * heard before the loan: to the house that is a bank nobody pulled out (docs/decisions.md "What a cabinet's word proves").
 */
const isThoughtUntaken = (order: OrderRow, loans: Loan[]) =>
  order.status === 'cancelled' &&
  order.evidence?.endsWith('the bank was not taken') === true &&
  loans.some((loan) => loan.bankId === order.bankId && isUnseen(loan, order))

/** What a client was told at the end is so, and one key is one order. */
function brokenWord({ key, answer }: Ask, orders: OrderRow[], loans: Loan[]): string[] {
  const own = orders.filter((order) => order.key === key)
  if (own.length > 1) return [`key ${key} opened ${own.length} orders`]
  // Still asking.
  if (answer === null) return []
  const [order] = own
  const isLent =
    order?.status === 'borrow' || order?.status === 'return' || (order !== undefined && isThoughtUntaken(order, loans))
  const isTrue = answer.status === 200 ? isLent && order.id === answer.orderId : !order || order.status === 'cancelled'
  return isTrue ? [] : [`key ${key} was told ${JSON.stringify(answer)}, and it is ${JSON.stringify(order)}`]
}

/** The slots as the database has them, against what is in them. */
async function misplaced({ db, stations }: World): Promise<string[]> {
  const rows = await db.sql<{ stationId: number; places: string }[]>`
    select s.id as station_id, coalesce(string_agg(sp.slot_number || ' ' || p.device_id, ', ' order by sp.slot_number), '') as places
    from stations s left join station_powerbanks sp on sp.station_id = s.id left join powerbanks p on p.id = sp.powerbank_id
    group by s.id`
  return stations.flatMap(({ id, box }) => {
    const real = banksOf(box.box)
      .map(({ slot, bankId }) => `${slot} ${bankId}`)
      .join(', ')
    const known = rows.find(({ stationId }) => stationId === id)?.places
    return real === known ? [] : [`station ${id} holds ${real}; the database says ${known}`]
  })
}

/** Rows that contradict each other, or wait for ever. */
const untidy = async (q: Queryable): Promise<string[]> => [
  ...(
    await q<{ id: number; kind: string; status: string }[]>`
    select id, kind, status from device_commands where status in ('queued', 'sent')`
  ).map((row) => `command ${row.id} (${row.kind}) is still ${row.status}`),
  ...(
    await q<{ orderId: number; kind: string }[]>`
    select order_id, kind from events where order_id is not null group by order_id, kind having count(*) > 1`
  ).map(({ orderId, kind }) => `${kind} of order ${orderId} happened twice`),
]

/**
 * Returns whose acknowledgement a cabinet has heard and which the database does not know: no order ended there, and
 * the bank is not known to be there. One into the cabinet that an open loan came from may be an old one said again:
 * there it is enough that a look is due or under way. Asked while the house is dead: nothing can heal meanwhile.
 */
export async function forgotten({ db, physical }: World): Promise<string[]> {
  // A bank that has gone out again since is another loan's.
  const last = new Map(physical.acts.map((act) => [act.bankId, act]))
  const acknowledged = [...last.values()].filter(({ acknowledgedAt }) => acknowledgedAt !== null)
  const lost: string[] = []
  for (const act of acknowledged) {
    if (await isKnown(db.sql, act)) continue
    const story = loansOf(physical.acts).filter(({ bankId }) => bankId === act.bankId)
    lost.push(`a return was acknowledged and is not stored: ${JSON.stringify(act)} of ${JSON.stringify(story)}`)
  }
  return lost
}

async function isKnown(q: Queryable, { bankId, stationId, slot }: Act): Promise<boolean> {
  const [known] = await q`
    select 1 from powerbanks p where p.device_id = ${bankId} and (
      exists (select 1 from orders o
        where o.powerbank_id = p.id and (o.return_station_id, o.return_slot) = (${stationId}, ${slot}))
      or exists (select 1 from station_powerbanks sp
        where sp.powerbank_id = p.id and (sp.station_id, sp.slot_number) = (${stationId}, ${slot}))
      or (exists (select 1 from orders o
          where o.powerbank_id = p.id and o.station_id = ${stationId} and o.status in ('pending', 'borrow'))
        and (exists (select 1 from stations where id = ${stationId} and inventory_due_at is not null)
          or exists (select 1 from device_commands
            where device_id = ${stationId} and kind = 'inventory' and status in ('queued', 'sent')))))`
  return known !== undefined
}

/** How the orders stand, for people: `9 return, 2 cancelled`. */
export async function standing({ db }: World): Promise<string> {
  const rows = await db.sql<{ status: string; count: number }[]>`
    select status, count(*) from orders group by status order by status desc`
  return rows.map(({ status, count }) => `${count} ${status}`).join(', ')
}

/** Orders and returns under way: what a kill now catches. */
export async function underWay({ db, physical }: World): Promise<number> {
  const [pending] = await db.sql<{ count: number }[]>`select count(*) from orders where status = 'pending'`
  const returns = physical.acts.filter(({ act, acknowledgedAt }) => act === 'inserted' && acknowledgedAt === null)
  return pending!.count + returns.length
}
