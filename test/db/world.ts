import * as commands from '../../db/devices/commands.ts'
import * as connections from '../../db/devices/connections.ts'
import type { Actor } from '../../db/platform/actor.ts'
import type { Db, Tx } from '../../db/postgres/connect.ts'
import { afterwards } from '../../db/powerbank/aftermath.ts'
import { answer } from '../../db/powerbank/answers.ts'
import { borrow } from '../../db/powerbank/borrow.ts'
import { inventory } from '../../db/powerbank/cabinet-reports.ts'
import type { SeenBank } from '../../db/powerbank/decide/snapshot.ts'
import { holdStations } from '../../db/powerbank/station-lock.ts'

/** The gateway process the test's cabinets are connected to. */
export const NODE = 'node-1'

let made = 0
/** A number no other row of this process was made with. */
export const next = () => ++made

/** Runs a verb in a transaction of its own, and does not run it again: a deadlock is an error here. */
export const act = async <T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> => await db.transaction(work, 1)

const only = (rows: readonly { id: number }[]) => rows[0]!.id

/** An organisation unit; with `parentId` a subgroup. */
export const unit = async (db: Db, { parentId = null as number | null, limit = 3 } = {}) =>
  only(
    await db.sql<{ id: number }[]>`
      insert into org_units (unit_type, name, parent_id, default_powerbank_limit)
      values (${parentId ? 'subgroup' : 'group'}, ${`unit ${next()}`}, ${parentId}, ${limit}) returning id`,
  )

/** Somebody with one role on the power-bank surface. */
export async function person(
  db: Db,
  { role = 'user', unitId = null as number | null, limit = null as number | null, status = 'active' } = {},
): Promise<number> {
  const id = only(
    await db.sql<{ id: number }[]>`
      insert into users (username, full_name, status, powerbank_limit)
      values (${`user${next()}`}, 'Some Body', ${status}, ${limit}) returning id`,
  )
  await db.sql`insert into user_roles (user_id, surface, role, org_unit_id) values (${id}, 'powerbank', ${role}, ${unitId})`
  return id
}

export const actor = (userId: number, role = 'user', orgUnitId: number | null = null): Actor => ({
  userId,
  roles: [{ role, orgUnitId }],
})

/** An active cabinet that has been connected to `node` for a minute; `node` null: not connected. */
export async function cabinet(
  db: Db,
  { unitId = null as number | null, slots = 8, status = 'active', node = NODE as string | null } = {},
): Promise<number> {
  const id = only(
    await db.sql<{ id: number }[]>`
      insert into stations (box_id, org_unit_id, slots_declared, status)
      values (${`BOX${next()}`}, ${unitId}, ${slots}, ${status}) returning id`,
  )
  await db.sql`
    insert into device_sessions (device_id, node, epoch, dialect, connected_at, seen_at)
    values (${id}, ${node}, 1, 'B', now() - interval '1 minute', now())`
  return id
}

export interface TestBank {
  id: number
  bankId: string
}

/** A registered bank; with `stationId` and `slot` it sits there, charged. */
export async function bank(
  db: Db,
  { status = 'active', stationId = 0, slot = 0, level = 90, soh = 100 } = {},
): Promise<TestBank> {
  const bankId = `44434841${next().toString(16).padStart(8, '0').toUpperCase()}`
  const id = only(
    await db.sql<{ id: number }[]>`
      insert into powerbanks (serial_number, device_id, status, soh) values (${bankId}, ${bankId}, ${status}, ${soh}) returning id`,
  )
  if (stationId)
    await db.sql`
      insert into station_powerbanks (station_id, powerbank_id, slot_number, level) values (${stationId}, ${id}, ${slot}, ${level})`
  return { id, bankId }
}

/** A cabinet's words for a bank in a slot. */
export const seen = (slot: number, { bankId }: { bankId: string }, levelPercent = 90) => ({
  slot,
  bankId,
  levelPercent,
})

/** Lets time pass: every instant that a verb compares with now moves into the past. Connected cabinets are still heard. */
export async function travel(db: Db, seconds: number): Promise<void> {
  const s = db.sql`make_interval(secs => ${seconds})`
  await db.transaction(async (tx) => {
    await tx`update device_commands set created_at = created_at - ${s}, deadline = deadline - ${s}, sent_at = sent_at - ${s},
      answered_at = answered_at - ${s}`
    await tx`update device_sessions set connected_at = connected_at - ${s}`
    await tx`update stations set inventory_due_at = inventory_due_at - ${s}, inventory_at = inventory_at - ${s},
      metal_since = metal_since - ${s}`
    await tx`update orders set created_at = created_at - ${s}, borrowed_at = borrowed_at - ${s}, completed_at = completed_at - ${s},
      absent_at = absent_at - ${s}, return_heard_at = return_heard_at - ${s}, not_taken_at = not_taken_at - ${s}`
    await tx`update events set created_at = created_at - ${s}`
    await tx`update slot_abnormal_reports set created_at = created_at - ${s}`
    await tx`update device_keys set valid_until = valid_until - ${s}, created_at = created_at - ${s}`
  })
}

/** The order's place and how it got there. */
export async function orderOf(db: Db, id: number) {
  const [row] = await db.sql<{ status: string; evidence: string | null; powerbankId: number | null }[]>`
    select status, evidence, powerbank_id from orders where id = ${id}`
  return row!
}

/** When this cabinet is to be looked into, in whole seconds from now; null: not at all. */
export async function lookDue(db: Db, stationId: number): Promise<number | null> {
  const [row] = await db.sql<{ due: number | null }[]>`
    select round(extract(epoch from inventory_due_at - now()))::int as due from stations where id = ${stationId}`
  return row!.due
}

/** A borrower, and a cabinet of the borrower's unit with power banks in its first slots. */
export async function scene(db: Db, { banks: count = 1, limit = 3, slots = 8 } = {}) {
  const unitId = await unit(db, { limit })
  const user = await person(db, { unitId })
  const station = await cabinet(db, { unitId, slots })
  const banks: TestBank[] = []
  for (let slot = 1; slot <= count; slot++) banks.push(await bank(db, { stationId: station, slot }))
  return { unitId, user, station, banks, bank: banks[0]! }
}

/** Asks for the bank in a slot. */
export const ask = (db: Db, { station, user }: { station: number; user: number }, slot = 1) =>
  act(db, (tx) => borrow(tx, actor(user), { stationId: station, userId: user, choice: { slot } }))

/** The gateway writes a command to the cabinet's socket. */
export async function send(db: Db, commandId: number): Promise<void> {
  const [row] = await db.sql<{ node: string; epoch: number }[]>`
    select ds.node, ds.epoch from device_commands c join device_sessions ds on ds.device_id = c.device_id where c.id = ${commandId}`
  const sent = await commands.claim(db.sql, row!.node, [{ id: commandId, epoch: row!.epoch, hex: '00' }])
  if (sent.length === 0) throw new Error(`command ${commandId} could not be sent`)
}

/** Asks for a bank and writes the eject to the cabinet. */
export async function asked(db: Db, who: { station: number; user: number }, slot = 1) {
  const order = await ask(db, who, slot)
  await send(db, order.commandId)
  return order
}

/** The cabinet says that it let a bank out (or, with `ok` false, that it did not). */
export const says = (
  db: Db,
  station: number,
  slot: number,
  bankId: string | null,
  { ok = true, kind = 'eject' as 'eject' | 'force_eject' } = {},
) => act(db, (tx) => answer(tx, station, { kind, slot, bankId, ok, result: ok ? 1 : 0 }, 'FF'))

/** The cabinet lists its slots, asked for them just now unless it says them with its login. */
export const lists = (
  db: Db,
  station: number,
  banks: readonly SeenBank[],
  source: 'inventory' | 'login' = 'inventory',
) =>
  act(db, async (tx) => {
    if (source === 'inventory')
      await tx`
        insert into device_commands (device_id, kind, status, deadline, sent_at, answered_at)
        values (${station}, 'inventory', 'answered', now(), now(), now())`
    await inventory(tx, station, { banks }, source)
  })

/** Ends what is overdue, as the gateway's clock does. @returns how many commands that were */
export async function expire(tx: Tx): Promise<number> {
  const ended = await commands.expire(tx, holdStations)
  await afterwards(tx, ended)
  return ended.length
}

/** A node says goodbye, as the gateway does. @returns how many cabinets it gave back */
export async function releaseNode(tx: Tx, node: string): Promise<number> {
  const { deviceIds, ended } = await connections.releaseNode(tx, node, holdStations)
  await afterwards(tx, ended)
  return deviceIds.length
}

/** Time passes, and the clock's verb ends what is overdue. */
export async function later(db: Db, seconds: number): Promise<void> {
  await travel(db, seconds)
  await act(db, expire)
}

/** The events of a station of one kind, oldest first. */
export const happened = (db: Db, stationId: number, kind: string) => db.sql<{ orderId: number | null; data: any }[]>`
  select order_id, data from events where station_id = ${stationId} and kind = ${kind} order by id`
