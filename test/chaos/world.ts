import { setTimeout as pause } from 'node:timers/promises'
import { sign } from '../../api/token.ts'
import * as keys from '../../db/devices/keys.ts'
import * as identity from '../../db/identity/identity.ts'
import type { Db, Tx } from '../../db/postgres/connect.ts'
import { bankIdsOf } from '../../simulators/cabinet/box.ts'
import { cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'
import { dialer } from '../../simulators/dial.ts'
import type { Base } from './bases.ts'
import type { Ask, Person } from './customer.ts'
import { borrow } from './customer.ts'
import { type Dice, dice } from './dice.ts'
import { ASK_SECONDS_MAX } from './limits.ts'
import { observe, type Physical, type Station } from './physical.ts'
import { settles } from './rest.ts'
import { type RunningServer, startWholeServer } from './server.ts'
import { type Tap, tap } from './tap.ts'
import { cabinetWire, httpWire, type Look } from './wires.ts'

const SLOTS = 8
const LOGIN_SECONDS_MAX = 30
const secrets = {
  JWT_SECRET: 'a secret of the chaos runs, long enough for HS256',
  KEYS_SECRET: 'another secret of the chaos runs, long enough',
}
const stationKey = 'INVENTED-STATION-KEY'

/** One house and all its neighbours. */
export interface World {
  dice: Dice
  db: Db
  base: Base
  house: RunningServer
  /** Where people find the house, whichever it is. */
  url: string
  stations: readonly Station[]
  people: readonly Person[]
  physical: Physical
  asks: Ask[]
  /** What was seen that must never be seen. */
  faults: string[]
  /** Kills the house, wherever it is. */
  kill(): void
  /** Starts it again; everybody finds it where it was. */
  raise(): Promise<void>
  /** Somebody wants a bank: `path` below /api/borrow. */
  ask(person: Person, path: string, about?: { body?: object; patienceSeconds?: number }): Promise<Ask>
  close(): Promise<void>
}

export interface WorldOptions {
  seed: number
  base: Base
  look: Look
  cabinets: number
  banksEach: number
  people: number
}

/** Builds a world at rest: the house is up, every cabinet has logged in and told what it holds. */
export async function newWorld(options: WorldOptions): Promise<World> {
  const { seed, base, look } = options
  const doors = { http: await tap(() => httpWire(look)), cabinet: await tap(() => cabinetWire(look)) }
  const faults: string[] = []
  let house = await open(base, doors, faults)
  const db = base.db()
  const { stations, people } = await db.transaction((tx) => furnish(tx, options))
  const boxes = stations.map((station) => ({ id: station.id, box: dial(station, doors.cabinet.port) }))
  const world: World = {
    dice: dice(seed),
    db,
    base,
    get house() {
      return house
    },
    url: `http://127.0.0.1:${doors.http.port}`,
    stations: boxes,
    people,
    physical: observe(boxes, seed),
    asks: [],
    faults,
    kill: () => shut(house, doors),
    async raise() {
      await house.gone
      house = await open(base, doors, faults)
    },
    async ask(person, path, { body = {}, patienceSeconds = 0 } = {}) {
      const key = `chaos-${seed}-${world.asks.length}`
      const ask: Ask = {
        key,
        person,
        path: `/api/borrow${path}`,
        answer: null,
        answeredAt: null,
        attempts: 0,
        patienceSeconds,
      }
      world.asks.push(ask)
      await borrow(world.url, ask, body, ASK_SECONDS_MAX)
      return ask
    },
    async close() {
      world.physical.calm()
      await Promise.all(boxes.map(({ box }) => box.close()))
      shut(house, doors)
      await house.gone
      await Promise.all([doors.http.close(), doors.cabinet.close()])
      await base.close()
    },
  }
  await settled(world, options)
  return world
}

interface Listeners {
  http: Tap
  cabinet: Tap
}

/** Houses that we ended ourselves. */
const ended = new WeakSet<RunningServer>()

function shut(house: RunningServer, { http, cabinet }: Listeners) {
  ended.add(house)
  http.lead(null)
  cabinet.lead(null)
  house.kill()
}

async function open(base: Base, { http, cabinet }: Listeners, faults: string[]): Promise<RunningServer> {
  const house = await startWholeServer({ ...secrets, ...base.settings }, base.cwd)
  http.lead(house.apiPort)
  cabinet.lead(house.cabinetPort)
  void house.gone.then((how) => {
    if (!ended.has(house)) faults.push(`the house ended by itself: ${how}`)
  })
  return house
}

type Furnished = { id: number; boxId: string; dialect: 'A' | 'B'; banks: string[] }

/** A unit, its stations with their banks, people who may borrow. Every second cabinet speaks TCP-A. */
async function furnish(tx: Tx, { seed, cabinets, banksEach, people }: WorldOptions) {
  const [unit] = await tx<{ id: number }[]>`
    insert into org_units (unit_type, name, default_powerbank_limit) values ('group', 'Сеть', 20) returning id`
  const stations: Furnished[] = []
  for (let n = 0; n < cabinets; n++) {
    const boxId = `CHAOS${String(seed % 1_000_000).padStart(7, '0')}${String(n).padStart(4, '0')}`
    const dialect = n % 2 === 0 ? 'B' : 'A'
    const banks = bankIdsOf(boxId, dialect, banksEach)
    const [row] = await tx<{ id: number }[]>`
      insert into stations (org_unit_id, box_id, slots_declared, status)
      values (${unit!.id}, ${boxId}, ${SLOTS}, 'active') returning id`
    // A cabinet that has a key may not speak the dialect that knows none.
    if (dialect === 'B') await keys.add(tx, null, { deviceId: row!.id, value: stationKey }, secrets.KEYS_SECRET)
    await tx`
      insert into powerbanks (org_unit_id, serial_number, device_id, status)
      select ${unit!.id}::bigint, d, d, 'active' from unnest(${banks}::text[]) d`
    stations.push({ id: row!.id, boxId, dialect, banks })
  }
  const customers: Person[] = []
  for (let n = 0; n < people; n++) customers.push(await person(tx, unit!.id, n))
  return { stations, people: customers }
}

async function person(tx: Tx, orgUnitId: number, n: number): Promise<Person> {
  const id = await identity.createWithRoles(tx, {
    phone: `+7900${String(n).padStart(7, '0')}`,
    fullName: 'Иван Иванов',
    passwordHash: null,
    roles: [{ surface: 'powerbank', role: 'user', orgUnitId }],
  })
  const session = await identity.login(tx, id, { surface: 'powerbank', hours: 24, ip: null, userAgent: null })
  const about = { surface: 'powerbank', expiresAt: session.expiresAt }
  return { id, token: await sign({ userId: id, sessionId: session.sessionId }, about, secrets.JWT_SECRET) }
}

/** A cabinet whose motor takes a moment, and which dials again soon. */
const dial = ({ boxId, dialect, banks }: Furnished, port: number) =>
  cabinet(dialer(false), {
    dialect,
    boxId,
    key: stationKey,
    slots: SLOTS,
    banks,
    redialSeconds: 0.1,
    bootSeconds: 0.2,
    latency: { ejectMilliseconds: [20, 150], forceEjectMilliseconds: [20, 150], queryMilliseconds: [1, 10] },
    server: { host: '127.0.0.1', port: String(port), heartbeatSeconds: 10 },
  })

/** Waits until every bank is known where it is, and no question is under way. */
async function settled({ db, stations }: World, { cabinets, banksEach }: WorldOptions) {
  const late = pause(LOGIN_SECONDS_MAX * 1000, 'late' as const, { ref: false })
  const everybody = Promise.all(stations.map(({ box }) => box.loggedIn))
  if ((await Promise.race([everybody, late])) === 'late') throw new Error('not every cabinet was let in')
  const left = await settles(db, LOGIN_SECONDS_MAX, async () => {
    const [seen] = await db.sql<{ banks: number; commands: number }[]>`
      select (select count(*) from station_powerbanks) as banks,
        (select count(*) from device_commands where status in ('queued', 'sent')) as commands`
    return seen!.banks === cabinets * banksEach && seen!.commands === 0 ? [] : [JSON.stringify(seen)]
  })
  if (left.length > 0) throw new Error(`the cabinets did not come to rest: ${left}`)
}
