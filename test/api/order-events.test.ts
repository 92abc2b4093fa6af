import { expect, test } from 'vitest'
import * as orders from '../../db/powerbank/orders.ts'
import { deviceCodec } from '../../protocol/cabinet-tcp/index.ts'
import { cabinet } from './cabinet.ts'
import { stage } from './contract-stage.ts'
import { judgeOf } from './schemas.ts'
import { startApiServer } from './server.ts'

const built = await startApiServer()
const { call, db, person, unit } = built
const document = (await call('GET', '/api/openapi.json')).body
const judge = judgeOf(document)
const path = '/api/orders/{order_id}/events'
const foreign = await unit('чужие')
const told = (id: number, token: string, query = '') => call('GET', `/api/orders/${id}/events${query}`, { token })
const turns = (body: any) => body.data.map((one: any) => `${one.source} ${one.kind}`)

test('staff read in order what was asked of the cabinet, what it said, and why the order stands as it does', async () => {
  const { borrowed, box, admin } = await stage(built)
  const id = await borrowed()
  await box.insert(box.banks[1]!.bankId, 7)
  const { status, body } = await told(id, admin.token, '?limit=100')
  expect(status).toBe(200)
  expect(judge.faults(document.paths[path].get.responses[200].content['application/json'].schema, body)).toEqual([])
  const own = turns(body).filter((turn: string) => !turn.endsWith('inventory'))
  expect(own).toEqual([
    'queued eject',
    'event order.requested',
    'sent eject',
    'answered eject',
    'event order.borrowed',
    'event order.returned',
    'event powerbank.returned',
  ])
  const of = (turn: string) => body.data.find((one: any) => `${one.source} ${one.kind}` === turn)
  expect(of('event order.borrowed')).toMatchObject({ evidence: 'eject answer' })
  expect(of('event order.returned')).toMatchObject({ evidence: 'return frame', data: { returnSlot: 7 } })
  const instants = body.data.map(({ at }: any) => Date.parse(at))
  expect(instants).toEqual(instants.toSorted((one: number, other: number) => one - other))
})

test('an eject that nobody answered says when it was given up, and a late answer that it was late', async () => {
  const { user, group, admin } = await stage(built)
  const box = await cabinet(built.stage, { orgUnitId: group, banks: [2], answers: { eject: () => null } })
  const body = { user_id: user.id, slot_number: 2 }
  const silent = await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body })
  expect(silent.status).toBe(408)
  const id = silent.body.order_id
  const { commandId } = (await orders.get(db.sql, id))!
  await box.giveUpOn(commandId!)
  const turnOf = async (source: string) =>
    (await told(id, admin.token, '?limit=100')).body.data.find(
      (one: any) => one.source === source && one.command_id === commandId,
    )
  expect(await turnOf('given_up')).toMatchObject({ kind: 'eject', evidence: 'no answer in time' })
  await box.say({ kind: 'eject', slot: 2, bankId: box.banks[2]!.bankId, ok: true, result: 1 })
  expect(await turnOf('given_up')).toMatchObject({ kind: 'eject', evidence: null })
  expect(await turnOf('answered')).toMatchObject({ evidence: 'late answer', data: { slot: 2, ok: true } })
})

test('pages follow one another without a gap', async () => {
  const { borrowed, admin } = await stage(built)
  const id = await borrowed()
  const whole = (await told(id, admin.token, '?limit=100')).body
  const { total } = whole.pagination
  expect(total).toBe(whole.data.length)
  const pages = []
  for (let page = 1; page <= total; page++)
    pages.push(...(await told(id, admin.token, `?limit=1&page=${page}`)).body.data)
  expect(pages).toEqual(whole.data)
})

test('it is for the staff of that station', async () => {
  const { borrowed, user, group } = await stage(built)
  const id = await borrowed()
  expect((await told(id, (await person('group_admin', group)).token)).status).toBe(200)
  expect((await told(id, (await person('subgroup_admin', group)).token)).status).toBe(200)
  expect((await told(id, user.token)).status).toBe(403)
  expect((await told(id, (await person('group_admin', foreign)).token)).status).toBe(403)
  expect((await call('GET', `/api/orders/${id}/events`)).status).toBe(401)
  const { token } = await person('service_admin')
  expect((await told(999_999_999, token)).status).toBe(404)
  expect((await call('GET', '/api/orders/one/events', { token })).status).toBe(400)
})

test('what other loans of the bank are told stays with them', async () => {
  const { borrowed, box, admin } = await stage(built)
  const first = await borrowed()
  await box.insert(box.banks[1]!.bankId, 1)
  const second = await borrowed()
  await box.insert(box.banks[1]!.bankId, 5)
  const slots = async (id: number) =>
    (await told(id, admin.token, '?limit=100')).body.data
      .filter(({ kind }: any) => kind === 'powerbank.returned' || kind === 'order.return_heard')
      .map(({ data }: any) => data.slot)
  expect(await slots(first)).toEqual([1])
  expect(await slots(second)).toEqual([5])
})

test('a frame that carries a secret is not shown', async () => {
  const { borrowed, admin, box } = await stage(built)
  const id = await borrowed()
  const apn = { index: 0, valid: true, operator: '25001', apn: 'internet', user: 'u', password: 'operator-secret' }
  const frame = deviceCodec('B', { key: 'k' })
    .encode({ kind: 'apn', ...apn })
    .toString('hex')
  await db.sql`update device_commands set hex_received = ${frame} where device_id = ${box.stationId} and kind = 'eject'`
  const { body } = await told(id, admin.token, '?limit=100')
  expect(body.data.find(({ source }: any) => source === 'answered').frame).toMatchObject({
    name: 'query_apn',
    hex: null,
    body: {},
  })
  expect(JSON.stringify(body)).not.toMatch(/operator-secret|6f70657261746f72/i)
})
