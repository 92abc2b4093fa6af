import { randomBytes } from 'node:crypto'
import type { Db, Queryable, Tx } from './connect.ts'
import * as identity from './identity.ts'
import * as keys from './keys.ts'
import { openAccount } from './loyalty.ts'
import { hash } from './password.ts'

/** Everybody's password in the demo. It is printed and stands in the README: a demo is for trying, on a machine of one's own. */
export const DEMO_PASSWORD = 'voltbay-demo'
const UNIT_NAME = 'Демонстрационная сеть'
const STATIONS = 12
const SLOTS = 8
const BANKS_PER_STATION = 5
/** Every third cabinet speaks TCP-A, the others TCP-B. */
const dialectOf = (n: number): 'A' | 'B' => (n % 3 === 2 ? 'A' : 'B')

const ACCOUNTS: { phone: string; fullName: string; role: string; inUnit: boolean; surface?: 'loyalty' }[] = [
  { phone: '+79000000001', fullName: 'Сервисный Администратор', role: 'service_admin', inUnit: false },
  { phone: '+79000000002', fullName: 'Групповой Администратор', role: 'group_admin', inUnit: true },
  { phone: '+79000000011', fullName: 'Анна Петрова', role: 'user', inUnit: true },
  { phone: '+79000000012', fullName: 'Борис Смирнов', role: 'user', inUnit: true },
  { phone: '+79000000013', fullName: 'Вера Иванова', role: 'user', inUnit: true },
  { phone: '+79000000021', fullName: 'Галина Кассир', role: 'cashier', inUnit: false, surface: 'loyalty' },
  { phone: '+79000000022', fullName: 'Дмитрий Пациент', role: 'patient', inUnit: false, surface: 'loyalty' },
]
const emailOf = (phone: string) => `demo${phone.slice(-2)}@example.org`

export interface DemoStation {
  id: number
  boxId: string
  dialect: 'A' | 'B'
  /** TCP-B's secret; it goes to the simulator by its standard input, never to a log. */
  key?: string
  slots: number
  /** Hex ids of the power banks the simulated cabinet starts with. */
  banks: string[]
}

export interface Demo {
  accounts: { phone: string; email: string; role: string; fullName: string; loyaltyAccountId?: number }[]
  stations: DemoStation[]
}

/** Those that are not there yet: a later version of the demo may have more. */
async function accounts(tx: Tx, unitId: number): Promise<void> {
  const there = await tx<{ phone: string }[]>`
    select phone from users where phone = any(${ACCOUNTS.map(({ phone }) => phone)}::text[]) and deleted_at is null`
  const known = new Set(there.map(({ phone }) => phone))
  const missing = ACCOUNTS.filter(({ phone }) => !known.has(phone))
  if (missing.length === 0) return
  const passwordHash = await hash(DEMO_PASSWORD)
  for (const { phone, fullName, role, inUnit, surface = 'powerbank' } of missing) {
    const person = { phone, email: emailOf(phone), fullName, passwordHash }
    const roles: identity.Grant[] = [{ surface, role, orgUnitId: inUnit ? unitId : null }]
    const id = await identity.createWithRoles(tx, { ...person, roles })
    if (role === 'patient') await openAccount(tx, id)
  }
}

/** As they are printed. A cashier needs to know which account is the patient's. */
async function shown(q: Queryable): Promise<Demo['accounts']> {
  const opened = await q<{ phone: string; id: number }[]>`
    select u.phone, a.id from loyalty_accounts a join users u on u.id = a.user_id
    where u.phone = any(${ACCOUNTS.map(({ phone }) => phone)}::text[]) and u.deleted_at is null`
  const accountOf = new Map(opened.map(({ phone, id }) => [phone, id]))
  return ACCOUNTS.map(({ phone, role, fullName }) => {
    const loyaltyAccountId = accountOf.get(phone)
    return { phone, email: emailOf(phone), role, fullName, ...(loyaltyAccountId !== undefined && { loyaltyAccountId }) }
  })
}

async function station(tx: Tx, unitId: number, n: number, keysSecret: string): Promise<void> {
  const boxId = `DEMO${String(n + 1).padStart(12, '0')}`
  const [{ id } = { id: 0 }] = await tx<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, slots_declared, status, nik)
    values (${unitId}, ${boxId}, ${SLOTS}, 'active', ${`Кабинет ${n + 1}`}) returning id`
  if (dialectOf(n) === 'B')
    await keys.add(tx, null, { stationId: id, value: randomBytes(12).toString('hex') }, keysSecret)
  for (let bank = 0; bank < BANKS_PER_STATION; bank++) {
    const deviceId = `44454D4F${(n * BANKS_PER_STATION + bank + 1).toString(16).padStart(8, '0').toUpperCase()}`
    await tx`
      insert into powerbanks (org_unit_id, serial_number, device_id, status)
      values (${unitId}, ${deviceId}, ${deviceId}, 'active')`
  }
}

/**
 * The demo organisation: made at the first call, found again later. Its banks start where they were last
 * seen, so a demo that is restarted goes on from what its database says.
 */
export async function demo(db: Db, keysSecret: string): Promise<Demo> {
  const unitId = await db.transaction(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('voltbay demo', 0))`
    const [unit] = await tx<{ id: number }[]>`select id from org_units where name = ${UNIT_NAME} and deleted_at is null`
    if (unit) {
      await accounts(tx, unit.id)
      return unit.id
    }
    const [made] = await tx<{ id: number }[]>`
      insert into org_units (unit_type, name, adress, default_powerbank_limit)
      values ('group', ${UNIT_NAME}, 'Москва, ул. Примерная, 1', 3) returning id`
    await accounts(tx, made!.id)
    for (let n = 0; n < STATIONS; n++) await station(tx, made!.id, n, keysSecret)
    return made!.id
  })
  const rows = await db.sql<{ id: number; boxId: string; slotsDeclared: number; banks: string[] }[]>`
    select s.id, s.box_id, s.slots_declared, array(
      select p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
      where sp.station_id = s.id order by sp.slot_number) as banks
    from stations s where s.org_unit_id = ${unitId} and s.box_id like 'DEMO%' and s.deleted_at is null order by s.box_id`
  const homeless = await db.sql<{ deviceId: string }[]>`
    select device_id from powerbanks p where org_unit_id = ${unitId} and device_id like '44454D4F%'
      and not exists (select 1 from station_powerbanks where powerbank_id = p.id) order by device_id`
  const stations: DemoStation[] = []
  for (const [n, row] of rows.entries()) {
    const [key] = await keys.valid(db.sql, row.id, keysSecret)
    stations.push({
      id: row.id,
      boxId: row.boxId,
      dialect: dialectOf(n),
      ...(key !== undefined && { key }),
      slots: row.slotsDeclared,
      banks: row.banks,
    })
  }
  // Banks that nobody has seen yet, or that are on loan since the last run, wait in the first cabinets with room.
  for (const { deviceId } of homeless) {
    const room = stations.toSorted((a, b) => a.banks.length - b.banks.length)[0]
    if (room && room.banks.length < room.slots) room.banks.push(deviceId)
  }
  return { accounts: await shown(db.sql), stations }
}
