import { connect as dial } from 'node:net'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { type Ended, enqueue, get, type NewCommand } from '../../../db/devices/commands.ts'
import { usualRules } from '../../../db/powerbank/decide/snapshot.ts'
import { tcpCabinet } from '../../../gateway/cabinet/tcp-login.ts'
import { connectionGuard } from '../../../gateway/connection-guard.ts'
import { listen } from '../../../gateway/listeners.ts'
import { serve } from '../../../gateway/tcp/tcp-frames.ts'
import { testDb } from '../../postgres.ts'
import { device, gatewayOn, hello, socketTo, station } from '../stage.ts'
import { toy } from './toy.ts'

const { db } = await testDb()

let toys = 0

/** A gateway that knows cabinets and toys, and where toys dial it. */
async function toyGateway(changes: Parameters<typeof gatewayOn>[1] = {}) {
  const told: Ended[] = []
  const toys = toy(told)
  const gateway = await gatewayOn(db, changes, {}, [tcpCabinet(usualRules), toys])
  const { node } = gateway
  const where = { host: '127.0.0.1', port: 0, reusePort: false, tls: null }
  const door = await listen(node, where, connectionGuard(node, []), (socket, address) =>
    serve(node, toys, socket, address),
  )
  onTestFinished(door.close)
  return { gateway, told, port: door.port }
}

/** A toy's row. */
async function newToy() {
  toys += 1
  const serial = `TOY${toys}`
  const [row] = await db.sql<{ id: number }[]>`
    insert into devices (kind, serial) values ('terminal', ${serial}) returning id`
  return { id: row!.id, serial }
}

/** A connection of a toy: what it says, and the lines it hears. */
function lineTo(port: number) {
  const socket = dial({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  return {
    socket,
    say: (line: string) => socket.write(`${line}\n`),
    hear: async () => (await lines.next()).value as string | undefined,
  }
}

/** A toy that is logged in. */
async function inside(port: number, serial: string) {
  const line = lineTo(port)
  line.say(`login ${serial}`)
  expect(await line.hear()).toBe(`ok login ${serial}`)
  return line
}

const ask = async (deviceId: number, kind: string, more: Partial<NewCommand> = {}) =>
  (await db.transaction((tx) => enqueue(tx, { deviceId, kind, requestedBy: null, origin: 'api', ...more }))).id
const statusOf = async (id: number) => (await get(db.sql, id))?.status
const sessionOf = async (id: number) =>
  (await db.sql`select node, epoch, dialect from device_sessions where device_id = ${id}`)[0]

test('a device of another kind logs in, gets a command and answers it', async () => {
  const { gateway, told, port } = await toyGateway()
  const { id, serial } = await newToy()
  const line = await inside(port, serial)
  expect(await sessionOf(id)).toEqual({ node: gateway.node.name, epoch: 1, dialect: 'toy' })
  line.say('heartbeat')
  expect(await line.hear()).toBe('ok heartbeat')
  const command = await ask(id, 'blink')
  expect(await line.hear()).toBe('blink')
  line.say('blink')
  await expect.poll(() => statusOf(command)).toBe('answered')
  expect(told).toEqual([])
  expect(gateway.node.counts).toMatchObject({ heard: { heartbeat: 1, blink: 1 }, told: { blink: 1 }, logins: 1 })
})

test('when its link is lost its row is closed, and what was under way ends as its own business says', async () => {
  const { gateway, told, port } = await toyGateway()
  const { id, serial } = await newToy()
  const line = await inside(port, serial)
  const [query, act] = [await ask(id, 'blink'), await ask(id, 'spin', { isMovement: true })]
  expect(new Set([await line.hear(), await line.hear()])).toEqual(new Set(['blink', 'spin']))
  line.socket.destroy()
  await expect.poll(() => sessionOf(id)).toMatchObject({ node: null })
  expect(gateway.said('terminal.dropped')).toMatchObject([{ about: { deviceId: id, serial } }])
  const about = { deviceId: id, deviceKind: 'terminal' }
  expect(told.toSorted((one, other) => one.id - other.id)).toMatchObject([
    { ...about, id: query, status: 'queued' },
    { ...about, id: act, status: 'unknown' },
  ])
  // A query is said once more to whoever comes back; a movement never.
  const again = await inside(port, serial)
  expect(await again.hear()).toBe('blink')
  again.say('blink')
  await expect.poll(() => statusOf(query)).toBe('answered')
  expect(await statusOf(act)).toBe('unknown')
})

test('what its wire has no word for fails at once, and what it never says ends by the clock', async () => {
  const { told, port } = await toyGateway()
  const { id, serial } = await newToy()
  const line = await inside(port, serial)
  const unspeakable = await ask(id, 'eject', { isMovement: true })
  await expect.poll(() => statusOf(unspeakable)).toBe('failed')
  const act = await ask(id, 'spin', { isMovement: true })
  expect(await line.hear()).toBe('spin')
  await db.sql`update device_commands set deadline = now() where id = ${act}`
  await expect.poll(() => statusOf(act)).toBe('unknown')
  await expect.poll(() => told.map(({ id }) => id)).toEqual([unspeakable, act])
})

test('a stranger is not let in, noise ends a link, and a newer link ends the older', async () => {
  const { gateway, port } = await toyGateway()
  const stranger = lineTo(port)
  stranger.say('login NOBODY')
  expect(await stranger.hear()).toBeUndefined()
  const { id, serial } = await newToy()
  const old = await inside(port, serial)
  const young = await inside(port, serial)
  expect(await old.hear()).toBeUndefined()
  expect(await sessionOf(id)).toMatchObject({ epoch: 2 })
  for (let n = 0; n < gateway.node.limits.malformedInARowMax; n++) young.say('noise')
  expect(await young.hear()).toBeUndefined()
  await expect.poll(() => gateway.node.counts.ended).toEqual({ unknown_toy: 1, superseded: 1, malformed: 1 })
})

test('cabinets and toys live in one gateway, and it gives both back when it is stopped', async () => {
  const { gateway, told, port } = await toyGateway()
  const { id, serial } = await newToy()
  const box = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(box.boxId))
  expect(await cabinet.hear()).toMatchObject({ report: 'login', result: 1 })
  const line = await inside(port, serial)
  const act = await ask(id, 'spin', { isMovement: true })
  expect(await line.hear()).toBe('spin')
  expect(gateway.node.sessions.count()).toBe(2)
  await gateway.close()
  expect(await line.hear()).toBeUndefined()
  for (const deviceId of [id, box.id]) expect(await sessionOf(deviceId)).toMatchObject({ node: null })
  expect(told).toMatchObject([{ id: act, deviceKind: 'terminal', status: 'unknown' }])
})
