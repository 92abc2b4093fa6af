import { afterAll, expect, test } from 'vitest'
import { startApi } from '../../api/main.ts'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

// Over real sockets, and to two processes' worth of API over one database.
const { stage, db, person, unit } = await startApiServer()
const config = { ...stage.config, borrowWaitSeconds: 10 }
const doors = [await startApi({ config, db, log: stage.log }), await startApi({ config, db, log: stage.log })]
afterAll(() => Promise.all(doors.map(({ close }) => close())))
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const many = 50

let calls = 0
async function send(method: string, path: string, token: string, body: object) {
  const { port } = doors[calls++ % doors.length]!
  const response = await fetch(`http://127.0.0.1:${port}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as any }
}
const isDone = ({ status }: { status: number }) => status === 200 || status === 201
const ejects = (box: Awaited<ReturnType<typeof cabinet>>) => box.heard.filter(({ kind }) => kind === 'eject').length

test('the limit of a user holds under 50 requests at once, whichever way each asks', async () => {
  const slots = Array.from({ length: many }, (_, i) => i + 1)
  const box = await cabinet(stage, { orgUnitId: group, slots: many, banks: slots })
  const anna = await person('user', group)
  await db.sql`update users set powerbank_limit = 3 where id = ${anna.id}`
  const at = `/borrow/stations/${box.stationId}`
  const ways = [
    (slot: number) => send('POST', `${at}/request`, anna.token, { user_id: anna.id, slot_number: slot }),
    () => send('POST', `${at}/request-optimal`, anna.token, { user_id: anna.id }),
    (slot: number) =>
      send('POST', `/borrow/powerbanks/${box.banks[slot]!.id}/request`, anna.token, { user_id: anna.id }),
    () => send('POST', '/user/powerbanks/borrow', anna.token, { station_id: box.stationId }),
    (slot: number) =>
      send('POST', '/orders', admin.token, {
        station_id: box.stationId,
        user_id: anna.id,
        powerbank_id: box.banks[slot]!.id,
        status: 'borrow',
      }),
  ]
  const answers = await Promise.all(slots.map((slot) => ways[slot % ways.length]!(slot)))
  expect(answers.filter(isDone)).toHaveLength(3)
  for (const refused of answers.filter((answer) => !isDone(answer))) {
    expect([400, 403]).toContain(refused.status)
    expect(refused.body).toMatchObject({ success: false, error: expect.any(String) })
  }
  const open = await db.sql`select id from orders where user_id = ${anna.id} and status in ('pending', 'borrow')`
  expect(open).toHaveLength(3)
  expect(ejects(box)).toBeLessThanOrEqual(3)
})

test('one bank is lent once under 50 requests at once, whichever way each asks', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const { id: powerbank_id } = box.banks[1]!
  const people = await Promise.all(Array.from({ length: many }, () => person('user', group)))
  const at = `/borrow/stations/${box.stationId}`
  type Person = (typeof people)[number]
  const ways = [
    ({ id, token }: Person) => send('POST', `${at}/request`, token, { user_id: id, slot_number: 1 }),
    ({ id, token }: Person) => send('POST', `${at}/request-optimal`, token, { user_id: id }),
    ({ id, token }: Person) => send('POST', `/borrow/powerbanks/${powerbank_id}/request`, token, { user_id: id }),
    ({ token }: Person) => send('POST', '/user/powerbanks/borrow', token, { station_id: box.stationId }),
    ({ id }: Person) => {
      const order = { station_id: box.stationId, user_id: id, powerbank_id, status: 'borrow' }
      return send('POST', '/orders', admin.token, order)
    },
  ]
  const answers = await Promise.all(people.map((who, i) => ways[i % ways.length]!(who)))
  expect(answers.filter(isDone)).toHaveLength(1)
  for (const refused of answers.filter((answer) => !isDone(answer))) expect([400, 403]).toContain(refused.status)
  const open =
    await db.sql`select id from orders where powerbank_id = ${powerbank_id} and status in ('pending', 'borrow')`
  expect(open).toHaveLength(1)
  expect(ejects(box)).toBeLessThanOrEqual(1)
})

test('a loan ends once: its cabinet, the user’s administrator and the write-off at the same moment', async () => {
  for (let round = 0; round < 5; round++) {
    const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
    const { id: powerbank_id, bankId } = box.banks[1]!
    const who = await person('user', group)
    const lent = await send('POST', '/user/powerbanks/borrow', who.token, { station_id: box.stationId })
    const orderId = lent.body.order_id
    await db.sql`update orders set borrowed_at = now() - interval '1 hour' where id = ${orderId}`
    await Promise.all([
      box.insert(bankId, 3),
      send('PUT', `/orders/${orderId}`, admin.token, { status: 'return' }),
      send('POST', '/admin/write-off-powerbank', admin.token, { user_id: who.id, powerbank_id }),
    ])
    const ends = await db.sql`
      select kind from events where order_id = ${orderId} and kind in ('order.returned', 'order.force_ejected')`
    expect(ends).toHaveLength(1)
    const [state] = await db.sql<{ status: string; bank: string }[]>`
      select o.status, p.status as bank from orders o join powerbanks p on p.id = o.powerbank_id where o.id = ${orderId}`
    expect([
      { status: 'return', bank: 'active' },
      { status: 'force_eject', bank: 'written_off' },
    ]).toContainEqual(state)
  }
})
