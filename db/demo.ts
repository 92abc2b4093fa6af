import { randomBytes } from 'node:crypto'
import { type DemoSubscriber, demoSubscribers, openSubscriptions, type Subscribers } from './demo-subscribers.ts'
import { openContracts } from './demo-telecom.ts'
import { type DemoTerminal, demoTerminals, registerKiosk, registerTerminals } from './demo-terminals.ts'
import * as keys from './devices/keys.ts'
import type { PaymentProvider } from './getpro/words.ts'
import * as identity from './identity/identity.ts'
import { hash } from './identity/password.ts'
import type { Surface } from './identity/words.ts'
import { openAccount } from './loyalty/loyalty.ts'
import type { Db, Queryable, Tx } from './postgres/connect.ts'
import { serialOf } from './powerbank/bank-ids.ts'

/** Everybody's password in the demo. It is printed and stands in the README: a demo is for trying, on a machine of one's own. */
export const DEMO_PASSWORD = 'voltbay-demo'
const UNIT_NAME = 'Демонстрационная сеть'
const TCP_STATIONS = 12
const SLOTS = 8
const BANKS_PER_STATION = 5
/** So many cabinets have their SIM cards in the CRM. */
const SIMS = 4
/** IMEIs of the range that is kept for tests, with their check digits. */
const IMEIS = ['001010019000015', '001010019000023', '001010019000031']
/** Serial numbers of invented banks begin here: 02DE0001 is the first, its label 48103425. */
const SERIALS_FROM = 0x02de0000

/** The cabinet of a place, by its number from 0 on: every third of TCP speaks A, the others B; the last ones MQTT. */
function cabinetOf(n: number): Pick<DemoStation, 'boxId' | 'dialect'> {
  const boxId = IMEIS[n - TCP_STATIONS]
  if (boxId !== undefined) return { boxId, dialect: 'mqtt' }
  return { boxId: `DEMO${String(n + 1).padStart(12, '0')}`, dialect: n % 3 === 2 ? 'A' : 'B' }
}

/** Bank ids as the cabinets of a place have them. */
function banksOf(n: number): string[] {
  const numbers = Array.from({ length: BANKS_PER_STATION }, (_, at) => n * BANKS_PER_STATION + at + 1)
  const hexOf = (number: number) => number.toString(16).padStart(8, '0').toUpperCase()
  return numbers.map((number) => (isImei(cabinetOf(n)) ? hexOf(SERIALS_FROM + number) : `44454D4F${hexOf(number)}`))
}

const isImei = ({ dialect }: Pick<DemoStation, 'dialect'>) => dialect === 'mqtt'
const PLACES = Array.from({ length: TCP_STATIONS + IMEIS.length }, (_, n) => n)

interface Person {
  phone: string
  fullName: string
  role: string
  inUnit?: boolean
  surface: Surface
  /** Of a customer of 2GETPRO: where they pay. */
  provider?: PaymentProvider
}

const ACCOUNTS: Person[] = [
  { phone: '+79000000001', fullName: 'Сервисный Администратор', role: 'service_admin', surface: 'powerbank' },
  {
    phone: '+79000000002',
    fullName: 'Групповой Администратор',
    role: 'group_admin',
    inUnit: true,
    surface: 'powerbank',
  },
  { phone: '+79000000011', fullName: 'Анна Петрова', role: 'user', inUnit: true, surface: 'powerbank' },
  { phone: '+79000000012', fullName: 'Борис Смирнов', role: 'user', inUnit: true, surface: 'powerbank' },
  { phone: '+79000000013', fullName: 'Вера Иванова', role: 'user', inUnit: true, surface: 'powerbank' },
  { phone: '+79000000021', fullName: 'Галина Кассир', role: 'cashier', surface: 'loyalty' },
  { phone: '+79000000022', fullName: 'Дмитрий Пациент', role: 'patient', surface: 'loyalty' },
  { phone: '+79000000031', fullName: 'Егор Администратор', role: 'admin', surface: 'paygo' },
  { phone: '+79000000032', fullName: 'Жанна Покупатель', role: 'user', surface: 'paygo' },
  { phone: '+79000000041', fullName: 'Захар Администратор', role: 'admin', surface: 'getpro' },
  { phone: '+79000000042', fullName: 'Инна Подписчик', role: 'user', surface: 'getpro', provider: 'yookassa' },
  { phone: '+79000000043', fullName: 'Кирилл Подписчик', role: 'user', surface: 'getpro', provider: 'cryptopay' },
  { phone: '+79000000044', fullName: 'Лидия Подписчик', role: 'user', surface: 'getpro', provider: 'stars' },
  { phone: '+79000000051', fullName: 'Марат Оператор', role: 'operator', surface: 'telecom' },
  { phone: '+79000000052', fullName: 'Нина Старшая', role: 'supervisor', surface: 'telecom' },
]
const emailOf = (phone: string) => `demo${phone.slice(-2)}@example.org`

export interface DemoStation {
  id: number
  boxId: string
  dialect: 'A' | 'B' | 'mqtt'
  /** TCP-B's secret; it goes to the simulator by its standard input, never to a log. */
  key?: string
  slots: number
  /** Hex ids of the power banks the simulated cabinet starts with. */
  banks: string[]
}

export interface Demo {
  accounts: {
    phone: string
    email: string
    surface: Surface
    role: string
    fullName: string
    loyaltyAccountId?: number
  }[]
  /** Customers of 2GETPRO, who log in by their e-mail. */
  subscribers: DemoSubscriber[]
  stations: DemoStation[]
  terminals: DemoTerminal[]
}

/** Those that are not there yet: a later version of the demo may have more. */
async function accounts(tx: Tx, unitId: number): Promise<void> {
  const there = await tx<{ phone: string }[]>`
    select phone from users where phone = any(${ACCOUNTS.map(({ phone }) => phone)}::text[]) and deleted_at is null`
  const known = new Set(there.map(({ phone }) => phone))
  const missing = ACCOUNTS.filter(({ phone }) => !known.has(phone))
  if (missing.length === 0) return
  const passwordHash = await hash(DEMO_PASSWORD)
  for (const { phone, fullName, role, inUnit, surface } of missing) {
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
  return ACCOUNTS.map(({ phone, surface, role, fullName }) => {
    const loyaltyAccountId = accountOf.get(phone)
    const about = { phone, email: emailOf(phone), surface, role, fullName }
    return { ...about, ...(loyaltyAccountId !== undefined && { loyaltyAccountId }) }
  })
}

/** Who sells and who buys at 2GETPRO, by their logins. */
async function subscribers(q: Queryable): Promise<Subscribers> {
  const people = ACCOUNTS.filter(({ surface }) => surface === 'getpro')
  const logins = await q<{ phone: string; id: number }[]>`
    select phone, id from users where phone = any(${people.map(({ phone }) => phone)}::text[]) and deleted_at is null`
  const idOf = new Map(logins.map(({ phone, id }) => [phone, id]))
  const customers = people.flatMap(({ phone, provider }) => {
    const userId = idOf.get(phone)
    return provider && userId !== undefined ? [{ userId, email: emailOf(phone), provider }] : []
  })
  return { adminId: idOf.get(people[0]!.phone) ?? 0, customers }
}

/** Likewise those that never were there. */
async function stations(tx: Tx, unitId: number, keysSecret: string): Promise<void> {
  const there = await tx<{ boxId: string }[]>`
    select box_id from stations where box_id = any(${PLACES.map((n) => cabinetOf(n).boxId)}::text[])`
  const known = new Set(there.map(({ boxId }) => boxId))
  for (const n of PLACES) if (!known.has(cabinetOf(n).boxId)) await station(tx, unitId, n, keysSecret)
}

async function station(tx: Tx, unitId: number, n: number, keysSecret: string): Promise<void> {
  const { boxId, dialect } = cabinetOf(n)
  const [{ id } = { id: 0 }] = await tx<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, slots_declared, status, nik)
    values (${unitId}, ${boxId}, ${SLOTS}, 'active', ${`Кабинет ${n + 1}`}) returning id`
  if (dialect === 'B') await keys.add(tx, null, { deviceId: id, value: randomBytes(12).toString('hex') }, keysSecret)
  for (const deviceId of banksOf(n))
    await tx`
      insert into powerbanks (org_unit_id, serial_number, device_id, status)
      values (${unitId}, ${serialOf(deviceId)}, ${deviceId}, 'active') on conflict do nothing`
}

/** Whose hand the CRM's rows are written by. */
async function operator(tx: Tx) {
  const [row] = await tx<{ id: number }[]>`select id from users where phone = '+79000000051'`
  return { userId: row!.id, roles: [{ role: 'operator', orgUnitId: null }] }
}

/**
 * The demo organisation: made at the first call, found again later. Its banks start where they were last
 * seen, so a demo that is restarted goes on from what its database says.
 */
export async function demo(db: Db, keysSecret: string): Promise<Demo> {
  const unitId = await db.transaction(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('voltbay demo', 0))`
    const [unit] = await tx<{ id: number }[]>`select id from org_units where name = ${UNIT_NAME} and deleted_at is null`
    const id = unit?.id ?? (await organisation(tx))
    await accounts(tx, id)
    await stations(tx, id, keysSecret)
    await registerTerminals(tx, keysSecret)
    await registerKiosk(tx, id)
    await openSubscriptions(tx, await subscribers(tx))
    await openContracts(
      tx,
      await operator(tx),
      PLACES.slice(0, SIMS).map((n) => cabinetOf(n).boxId),
    )
    return id
  })
  return {
    accounts: await shown(db.sql),
    stations: await fleet(db.sql, unitId, keysSecret),
    terminals: await demoTerminals(db.sql, keysSecret),
    subscribers: await demoSubscribers(db.sql, (await subscribers(db.sql)).customers),
  }
}

async function organisation(tx: Tx): Promise<number> {
  const [made] = await tx<{ id: number }[]>`
    insert into org_units (unit_type, name, adress, default_powerbank_limit)
    values ('group', ${UNIT_NAME}, 'Москва, ул. Примерная, 1', 3) returning id`
  return made!.id
}

/** The cabinets as they are to be simulated. */
async function fleet(q: Queryable, unitId: number, keysSecret: string): Promise<DemoStation[]> {
  const rows = await q<{ id: number; boxId: string; slotsDeclared: number; banks: string[] }[]>`
    select s.id, s.box_id, s.slots_declared, array(
      select p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
      where sp.station_id = s.id order by sp.slot_number) as banks
    from stations s where s.org_unit_id = ${unitId} and s.deleted_at is null`
  const homeless = await q<{ deviceId: string }[]>`
    select device_id from powerbanks p where org_unit_id = ${unitId} and device_id = any(${PLACES.flatMap(banksOf)}::text[])
      and not exists (select 1 from station_powerbanks where powerbank_id = p.id) order by device_id`
  const there = new Map(rows.map((row) => [row.boxId, row]))
  const cabinets: DemoStation[] = []
  for (const { boxId, dialect } of PLACES.map(cabinetOf)) {
    const row = there.get(boxId)
    if (!row) continue
    const [key] = await keys.valid(q, row.id, keysSecret)
    const { id, slotsDeclared: slots, banks } = row
    cabinets.push({ id, boxId, dialect, ...(key !== undefined && { key }), slots, banks })
  }
  // Banks that nobody has seen yet, or that are on loan since the last run, wait in the emptiest cabinet they fit.
  for (const { deviceId } of homeless) {
    const fitting = cabinets.filter((one) => isImei(one) === (deviceId.length === 8))
    const room = fitting.toSorted((one, other) => one.banks.length - other.banks.length)[0]
    if (room && room.banks.length < room.slots) room.banks.push(deviceId)
  }
  return cabinets
}
