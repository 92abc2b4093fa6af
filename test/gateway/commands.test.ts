import { expect, test } from 'vitest'
import * as commands from '../../db/devices/commands.ts'
import { open } from '../../db/powerbank/cabinets.ts'
import { testDb } from '../postgres.ts'
import { bank, device, gatewayOn, hello, socketTo, station } from './stage.ts'

const { db } = await testDb()

type Running = Awaited<ReturnType<typeof gatewayOn>>

async function inside(gateway: Running) {
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  return { ...cabinet, id, boxId }
}

const ask = (deviceId: number, kind: string, more: { slot?: number; args?: Record<string, unknown> } = {}) =>
  db.transaction((tx) =>
    commands.enqueue(tx, {
      deviceId,
      kind,
      isMovement: more.slot !== undefined,
      requestedBy: null,
      origin: 'api',
      ...more,
    }),
  )

const statusOf = async (id: number) => (await commands.get(db.sql, id))?.status

test('a command reaches its cabinet when it is written down, and its answer the row', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { id } = await ask(cabinet.id, 'set_volume', { args: { level: 7 } })
  expect(await cabinet.hear()).toEqual({ kind: 'set_volume', level: 7 })
  const sent = await commands.get(db.sql, id)
  expect(sent).toMatchObject({
    status: 'sent',
    attempts: 1,
    hexSent: expect.stringMatching(/^0008700100?[0-9A-F]+07$/),
  })
  cabinet.say({ kind: 'set_volume', ok: true })
  await expect.poll(() => statusOf(id)).toBe('answered')
  expect((await commands.get(db.sql, id))?.hexReceived).toMatch(/^[0-9A-F]+$/)
})

test('an eject answer moves on to the next movement, one at a time', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const first = await ask(cabinet.id, 'eject', { slot: 1 })
  const second = await ask(cabinet.id, 'eject', { slot: 2 })
  expect(await cabinet.hear()).toEqual({ kind: 'eject', slot: 1 })
  expect(await statusOf(second.id)).toBe('queued')
  cabinet.say({ kind: 'eject', slot: 1, bankId: '4443484154000016', ok: true, result: 1 })
  expect(await cabinet.hear()).toEqual({ kind: 'eject', slot: 2 })
  expect(await statusOf(first.id)).toBe('answered')
})

test('while a command waits for its answer, heartbeats and returns are served', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { id } = await ask(cabinet.id, 'eject', { slot: 1 })
  expect(await cabinet.hear()).toEqual({ kind: 'eject', slot: 1 })
  cabinet.say({ kind: 'heartbeat' })
  expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
  cabinet.say({ kind: 'returned', bank: bank(5, '4443484154000055') })
  expect(await cabinet.hear()).toMatchObject({ report: 'returned', result: 1 })
  cabinet.say({ kind: 'eject', slot: 1, bankId: '4443484154000016', ok: true, result: 1 })
  await expect.poll(() => statusOf(id)).toBe('answered')
})

test('a late answer still counts', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { id } = await ask(cabinet.id, 'eject', { slot: 3 })
  await cabinet.until('eject')
  await db.sql`update device_commands set deadline = now() - interval '1 second' where id = ${id}`
  await expect.poll(() => statusOf(id)).toBe('unknown')
  cabinet.say({ kind: 'eject', slot: 3, bankId: '4443484154000016', ok: true, result: 1 })
  await expect.poll(() => statusOf(id)).toBe('answered')
})

test('an eject whose connection broke is never said again', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { id } = await ask(cabinet.id, 'eject', { slot: 2 })
  await cabinet.until('eject')
  cabinet.stream.destroy()
  const again = device(socketTo(gateway), 'KEYB')
  again.say(hello(cabinet.boxId))
  await again.hear()
  expect(await statusOf(id)).toBe('unknown')
  // What is asked later comes; had the eject been repeated, it would have come first.
  await ask(cabinet.id, 'volume')
  expect(await again.hear()).toEqual({ kind: 'volume' })
})

test('a query whose connection broke is asked once more', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { id } = await ask(cabinet.id, 'volume')
  await cabinet.until('volume')
  cabinet.stream.destroy()
  const again = device(socketTo(gateway), 'KEYB')
  again.say(hello(cabinet.boxId))
  await again.hear()
  expect(await again.hear()).toEqual({ kind: 'volume' })
  expect(await commands.get(db.sql, id)).toMatchObject({ status: 'sent', attempts: 2 })
})

test('a cabinet that has gone to another node is commanded from there only, and its old socket is closed', async () => {
  const [here, there] = [await gatewayOn(db), await gatewayOn(db)]
  const old = await inside(here)
  const young = device(socketTo(there), 'KEYB')
  young.say(hello(old.boxId))
  await young.hear()
  const { id } = await ask(old.id, 'volume')
  expect(await young.hear()).toEqual({ kind: 'volume' })
  expect(await db.sql`select node from device_commands where id = ${id}`).toEqual([{ node: there.node.name }])
  // The next time its signs of life are written, its node learns that it is not its own any more.
  old.say({ kind: 'heartbeat' })
  await old.ended
  expect(here.node.counts.ended).toEqual({ superseded: 1 })
  const [row] = await db.sql`select node, epoch from device_sessions where device_id = ${old.id}`
  expect(row).toEqual({ node: there.node.name, epoch: 2 })
})

test('a command claimed under an old epoch is not written', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { deviceId: stationId, epoch } = gateway.node.sessions.get(cabinet.id)!
  const elsewhere = { stationId, node: 'another', dialect: 'B', address: '192.0.2.9', vsn: 2 }
  await db.transaction((tx) => open(tx, elsewhere))
  const { id } = await ask(cabinet.id, 'volume')
  expect(await commands.claim(db.sql, gateway.node.name, [{ id, epoch, hex: 'AA' }])).toEqual([])
  cabinet.say({ kind: 'heartbeat' })
  await cabinet.ended
  expect(await statusOf(id)).toBe('queued')
  expect(gateway.node.counts.told).toEqual({})
})

test('a command the dialect cannot say fails at once, and stops nobody', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const bad = await ask(cabinet.id, 'set_volume', { args: { level: 4_000 } })
  await ask(cabinet.id, 'volume')
  expect(await cabinet.hear()).toEqual({ kind: 'volume' })
  expect(await statusOf(bad.id)).toBe('failed')
  expect(gateway.said('command.unspeakable')[0]?.about).toMatchObject({ commandId: bad.id, kind: 'set_volume' })
})

test('a new server address is followed by the restart that makes it true', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const args = { host: 'gateway.example.org', port: '9066', heartbeatSeconds: 30 }
  await ask(cabinet.id, 'set_server_address', { args })
  expect(await cabinet.hear()).toEqual({ kind: 'set_server_address', ...args })
  cabinet.say({ kind: 'set_server_address' })
  expect(await cabinet.hear()).toEqual({ kind: 'restart' })
})

test("the access point's password is not kept from an answer", async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { id } = await ask(cabinet.id, 'apn', { args: { index: 0 } })
  expect(await cabinet.hear()).toEqual({ kind: 'apn', index: 0 })
  const said = { index: 0, valid: true, operator: '25001', apn: 'internet', user: 'mts', password: 'secretword' }
  cabinet.say({ kind: 'apn', ...said })
  await expect.poll(() => statusOf(id)).toBe('answered')
  expect(JSON.stringify((await commands.get(db.sql, id))?.answer)).not.toContain('secretword')
})

test('a heartbeat interval that the cabinet tells is the one it is held to', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  await ask(cabinet.id, 'server_address')
  await cabinet.until('server_address')
  cabinet.say({ kind: 'server_address', host: 'gateway.example.org', port: '9066', heartbeatSeconds: 77 })
  await expect.poll(() => gateway.node.sessions.get(cabinet.id)?.heartbeatSeconds).toBe(77)
})

test('a bell that was lost is made up for by the next look', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  await db.sql`
    insert into device_commands (device_id, kind, deadline) values (${cabinet.id}, 'volume', now() + interval '1 minute')`
  expect(await cabinet.hear()).toEqual({ kind: 'volume' })
})

test('a hundred cabinets are commanded at once, each once', async () => {
  const gateway = await gatewayOn(db, { connectionsPerAddressMax: 100 })
  const cabinets = await Promise.all(Array.from({ length: 50 }, () => inside(gateway)))
  await Promise.all(cabinets.map(({ id }) => ask(id, 'volume')))
  await Promise.all(
    cabinets.map(async (cabinet) => {
      expect(await cabinet.hear()).toEqual({ kind: 'volume' })
      cabinet.say({ kind: 'volume', level: 3 })
    }),
  )
  const ids = cabinets.map(({ id }) => id)
  await expect
    .poll(
      () => db.sql`
      select status, attempts, count(*)::int as n from device_commands
      where device_id = any(${ids}::bigint[]) and kind = 'volume' group by 1, 2`,
    )
    .toEqual([{ status: 'answered', attempts: 1, n: 50 }])
})
