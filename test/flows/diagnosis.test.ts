import { expect, onTestFinished, test } from 'vitest'
import { told, why } from '../../db/diagnosis/why-cli.ts'
import { cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'
import { dialer } from '../../simulators/dial.ts'
import type { Running } from '../gateway/mqtt/mqtt-stage.ts'
import { npm } from '../npm-child.ts'
import { town, until } from './town.ts'

// Why is this station off line? Each cause staged with cabinets that dial in over sockets, and asked as staff do.

const { call, db, open, station, unit, person } = await town()
const unitId = await unit('Сеть')
const { token } = await person('group_admin', unitId)

/** A gateway that hears somebody else all the while: that it is us is not the cause. */
async function house() {
  const { ports } = await open()
  await station(ports, { orgUnitId: await unit('Маяк') })
  return { ports, alone: await unit('Одна', unitId) }
}

type Placed = Awaited<ReturnType<typeof station>>

/** Switches a cabinet off, and waits until the house has seen it. */
async function off({ box, id }: Placed) {
  await box.close()
  await until(async () => (await diagnosis(id)).body.data.is_online === false)
}

const diagnosis = (id: number) => call('GET', `/api/stations/${id}/diagnosis`, { token })
const causes = async (id: number) =>
  (await diagnosis(id)).body.data.causes as { code: string; evidence: any; text: string }[]
/** What the likeliest cause becomes. */
const becomes = (id: number, code: string) => until(async () => (await causes(id))[0]?.code === code)

/** A cabinet that will not be let in. */
function stranger({ ports }: { ports: Running['ports'] }, boxId: string, dialect: 'A' | 'B', key = 'ANOTHER-KEY') {
  const server = { host: '127.0.0.1', heartbeatSeconds: 30, port: String(ports.cabinet) }
  const box = cabinet(dialer(false), {
    ...{ boxId, dialect, key, server },
    ...{ slots: 8, banks: [], redialSeconds: 0.05, bootSeconds: 0.05 },
  })
  onTestFinished(() => box.close())
}

/** Its card, as the CRM has it, of a contract in order. */
async function card({ id }: Placed): Promise<{ contractId: number; simId: number }> {
  await until(async () => (await db.sql`select 1 from stations where id = ${id} and iccid is not null`).length > 0)
  const [made] = await db.sql<{ contractId: number; simId: number }[]>`
    with customer as (
      insert into customers (first_name, last_name, phone, document_type, document_number)
      values ('А', 'Б', '+996555000001', 'passport', 'AN1') returning id),
    tariff as (insert into tariffs (name, monthly_fee_minor) values ('Станция', 5000) returning id),
    contract as (
      insert into contracts (number, customer_id, tariff_id, status, billing_anchor)
      select 'CTR-2026-000001', customer.id, tariff.id, 'active', '2026-01-31' from customer, tariff returning id),
    sim as (
      insert into sims (iccid, imsi, msisdn, status, contract_id)
      select s.iccid, '437010000000001', '+996556000001', 'active', contract.id from stations s, contract
      where s.id = ${id} returning id)
    select contract.id as contract_id, sim.id as sim_id from contract, sim`
  return made!
}

test('a station on line has none; one that was switched off is silent', async () => {
  const { ports, alone } = await house()
  const one = await station(ports, { orgUnitId: alone })
  expect((await diagnosis(one.id)).body).toMatchObject({
    success: true,
    data: { station_id: one.id, box_id: one.boxId, is_online: true, causes: [] },
  })
  await off(one)
  expect(await causes(one.id)).toMatchObject([{ code: 'silent', text: expect.stringContaining('питание') }])
  expect(told((await why(db.sql, one.boxId))!)).toContain('1. nothing that we know explains it')
})

test('a wrong key, and a dialect that has none, are told by what was refused', async () => {
  const there = await house()
  const [one, other] = [
    await station(there.ports, { orgUnitId: there.alone }),
    await station(there.ports, { orgUnitId: await unit('Другая', unitId) }),
  ]
  await off(one)
  stranger(there, one.boxId, 'B')
  await becomes(one.id, 'wrong_key')
  expect((await causes(one.id))[0]!.evidence).toMatchObject({
    reason: 'bad_token',
    dialect: 'B',
    expected: 'B',
    keys: 1,
  })
  await off(other)
  stranger(there, other.boxId, 'A')
  await becomes(other.id, 'wrong_dialect')
})

test('a station that never came, and whose name almost dials', async () => {
  const there = await house()
  const [made] = await db.sql<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, slots_declared, status)
    values (${there.alone}, 'WHYBOX0000000001', 8, 'active') returning id`
  expect(await causes(made!.id)).toMatchObject([{ code: 'never_connected', evidence: { keys: 0 } }])
  stranger(there, 'WHYB0X0000000001', 'A')
  await becomes(made!.id, 'unknown_box_id')
  expect((await causes(made!.id))[0]!.evidence).toMatchObject({ box_id: 'WHYB0X0000000001' })
})

test('a SIM that is blocked, and a contract in debt', async () => {
  const { ports, alone } = await house()
  const one = await station(ports, { orgUnitId: alone })
  const { contractId, simId } = await card(one)
  await off(one)
  expect((await causes(one.id))[0]!.code).toBe('silent')
  await db.sql`update sims set status = 'blocked', held_by = 'operator' where id = ${simId}`
  expect((await causes(one.id))[0]).toMatchObject({ code: 'sim_blocked', evidence: { status: 'blocked' } })
  await db.sql`
    update contracts set status = 'suspended', suspension_reason = 'balance', balance_minor = -4000 where id = ${contractId}`
  await db.sql`update sims set status = 'suspended', held_by = 'contract' where id = ${simId}`
  expect((await causes(one.id))[0]).toMatchObject({
    code: 'contract_in_debt',
    evidence: { contract: expect.stringMatching(/^CTR-2026-/), balance_minor: -4_000 },
  })
})

test('neighbours that go together are the place', async () => {
  const { ports, alone } = await house()
  const [one, other] = [await station(ports, { orgUnitId: alone }), await station(ports, { orgUnitId: alone })]
  await off(one)
  expect((await causes(one.id))[0]!.code).toBe('silent')
  await off(other)
  for (const { id } of [one, other]) expect((await causes(id))[0]).toMatchObject({ code: 'site_down' })
})

test('nobody but its staff asks, and of one that is not there nothing is known', async () => {
  const { ports, alone } = await house()
  const { id } = await station(ports, { orgUnitId: alone })
  const foreign = await person('group_admin', await unit('Чужая'))
  const user = await person('user', alone)
  const status = async (path: string, given: object) => (await call('GET', `/api/stations/${path}`, given)).status
  for (const path of [`${id}/diagnosis`, `${id}/uptime?month=2026-11`]) {
    expect([await status(path, {}), await status(path, foreign), await status(path, user)]).toEqual([401, 403, 403])
    expect(await status(path, { token })).toBe(200)
  }
  expect(await status('999999/diagnosis', { token })).toBe(404)
  expect((await call('GET', `/api/stations/${id}/uptime`, { token })).body.data.month).toMatch(/^20\d\d-\d\d$/)
  for (const month of ['', '2026-13', '2026-1', 'x'])
    expect(await status(`${id}/uptime?month=${month}`, { token })).toBe(400)
})

test('how long it was on line in a month is what its connections say', async () => {
  const [made] = await db.sql<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, slots_declared, status)
    values (${unitId}, 'UPTIME0000000001', 8, 'active') returning id`
  const { id } = made!
  const asked = async (month: string) =>
    (await call('GET', `/api/stations/${id}/uptime?month=${month}`, { token })).body.data
  expect(await asked('2026-02')).toMatchObject({ uptime_percent: null, observed_seconds: 0, outages: [] })
  const said: [string, string, Record<string, string>][] = [
    ['2026-01-20T00:00:00+03:00', 'station.connected', {}],
    ['2026-02-10T00:00:00+03:00', 'station.disconnected', { reason: 'silent' }],
    ['2026-02-10T12:00:00+03:00', 'station.connected', {}],
    ['2026-02-20T00:00:00+03:00', 'station.disconnected', { reason: 'closed' }],
    ['2026-02-21T00:00:00+03:00', 'station.connected', {}],
    ['2026-03-05T00:00:00+03:00', 'station.disconnected', { reason: 'silent' }],
  ]
  for (const [at, kind, data] of said)
    await db.sql`insert into events (kind, station_id, data, created_at) values (${kind}, ${id}, ${db.sql.json(data)}, ${at})`
  const daySeconds = 86_400
  expect(await asked('2026-02')).toEqual({
    month: '2026-02',
    uptime_percent: 94.64,
    observed_seconds: 28 * daySeconds,
    online_seconds: 26.5 * daySeconds,
    outages: [
      { from: '2026-02-20T00:00:00+03:00', until: '2026-02-21T00:00:00+03:00', seconds: daySeconds, reason: 'closed' },
      {
        from: '2026-02-10T00:00:00+03:00',
        until: '2026-02-10T12:00:00+03:00',
        seconds: daySeconds / 2,
        reason: 'silent',
      },
    ],
  })
  expect(await asked('2026-01')).toMatchObject({ uptime_percent: 100, observed_seconds: 12 * daySeconds })
  expect(await asked('2026-04')).toMatchObject({ uptime_percent: 0, observed_seconds: 30 * daySeconds })
})

test('a database that is away is what a technician is told', async () => {
  const child = npm(['why', '--', 'ANY'], { DATABASE_URL: 'postgresql://nobody:none@127.0.0.1:1/none' })
  expect(await child.gone).toBe(1)
  expect(child.lines.join('\n')).toContain('our own database does not answer')
})
