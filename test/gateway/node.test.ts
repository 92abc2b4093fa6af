import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { connect as dialTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { BadSettings, parseSettings } from '../../db/platform/config.ts'
import { gatewayConfig, gatewaySettings } from '../../gateway/config.ts'
import { limiter } from '../../gateway/limiter.ts'
import { deviceCodec } from '../../protocol/cabinet-tcp/index.ts'
import { testDb } from '../postgres.ts'
import { cert, key } from './localhost.ts'
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

const get = (gateway: Running, path: string, method = 'GET') =>
  fetch(`http://127.0.0.1:${gateway.ports.metrics}${path}`, { method })

test('a gateway that is stopped finishes the report in hand, gives its cabinets back, and closes', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const idle = await inside(gateway)
  const { promise: until, resolve: free } = Promise.withResolvers<void>()
  const { promise: isHeld, resolve: tell } = Promise.withResolvers<void>()
  const over = db.transaction(async (tx) => {
    await tx`select 1 from stations where id = ${cabinet.id} for update`
    tell()
    await until
  })
  await isHeld
  cabinet.say({ kind: 'returned', bank: bank(1, '4443484154000F01') })
  cabinet.say({ kind: 'heartbeat' })
  await cabinet.hear()
  const closed = gateway.close()
  await idle.ended
  free()
  await over
  expect(await cabinet.hear()).toMatchObject({ report: 'returned', result: 1 })
  await closed
  await cabinet.ended
  const rows = await db.sql`select node, seen_at from device_sessions where device_id in (${cabinet.id}, ${idle.id})`
  expect(rows).toMatchObject([{ node: null }, { node: null }])
  const socket = dial(gateway.ports.cabinet, '127.0.0.1')
  const [error] = await once(socket, 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
})

test('the signs of life of all cabinets are written in one statement', async () => {
  const statements: string[] = []
  const watched = Object.assign((...parts: any[]) => {
    if (parts[0]?.raw) statements.push(parts[0].join('?'))
    return (db.sql as any)(...parts)
  }, db.sql) as typeof db.sql
  const gateway = await gatewayOn({ ...db, sql: watched })
  const cabinets = await Promise.all(Array.from({ length: 10 }, () => inside(gateway)))
  const ids = cabinets.map(({ id }) => id)
  await db.sql`update device_sessions set seen_at = now() - interval '1 hour' where device_id = any(${ids}::bigint[])`
  statements.length = 0
  for (const cabinet of cabinets) cabinet.say({ kind: 'heartbeat' })
  const late = () => db.sql`
    select 1 from device_sessions where device_id = any(${ids}::bigint[]) and seen_at < now() - interval '1 minute'`
  await expect.poll(late).toEqual([])
  const writes = statements.filter((text) => text.includes('set seen_at'))
  expect(writes.length).toBeGreaterThan(0)
  expect(writes.length).toBeLessThan(10)
})

test('two nodes over one database hand a cabinet to each other', async () => {
  const [one, two] = [await gatewayOn(db), await gatewayOn(db)]
  const { id, boxId } = await station(db, 'KEYB')
  for (const [epoch, gateway] of [one, two, one, two].entries()) {
    const cabinet = device(socketTo(gateway), 'KEYB')
    cabinet.say(hello(boxId))
    expect(await cabinet.hear()).toMatchObject({ report: 'login', result: 1 })
    const [row] = await db.sql`select node, epoch from device_sessions where device_id = ${id}`
    expect(row).toEqual({ node: gateway.node.name, epoch: epoch + 1 })
  }
})

test('several gateways may share one port', async () => {
  const first = await gatewayOn(db, {}, { reusePort: true })
  const second = await gatewayOn(db, {}, { reusePort: true, cabinetPort: first.ports.cabinet })
  expect(second.ports.cabinet).toBe(first.ports.cabinet)
  const cabinet = await inside(first)
  cabinet.say({ kind: 'heartbeat' })
  expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
})

test('a taken port is said at the start, and nothing stays behind', async () => {
  const first = await gatewayOn(db)
  await expect(gatewayOn(db, {}, { cabinetPort: first.ports.cabinet })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('cabinets behind a TLS tunnel speak the same', async () => {
  const tls = { port: 0, cert: Buffer.from(cert), key: Buffer.from(key) }
  const gateway = await gatewayOn(db, { connectionsPerAddressMax: 1 }, { tls })
  const { id, boxId } = await station(db, 'KEYB')
  const codec = deviceCodec('B', { key: 'KEYB' })
  const socket = dialTls({ port: gateway.ports.cabinetTls!, host: '127.0.0.1', ca: tls.cert, servername: 'localhost' })
  onTestFinished(() => void socket.destroy())
  socket.write(codec.encode(hello(boxId)))
  const [answer] = await once(socket, 'data')
  expect(codec.decode(answer)).toMatchObject({ report: 'login', result: 1 })
  expect(gateway.node.sessions.get(id)?.serial).toBe(boxId)
  const second = dial(gateway.ports.cabinetTls!, '127.0.0.1')
  await once(second, 'close')
  expect(gateway.node.counts.turnedAway.too_many_of_one_address).toBe(1)
})

test('its numbers can be read', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  cabinet.say({ kind: 'heartbeat' })
  await cabinet.hear()
  const { headers, status } = await get(gateway, '/metrics')
  expect(status).toBe(200)
  expect(headers.get('content-type')).toContain('text/plain')
  const text = await (await get(gateway, '/metrics')).text()
  expect(text).toContain('voltbay_cabinets_connected 1')
  expect(text).toContain('voltbay_cabinet_logins_total 1')
  expect(text).toMatch(
    /voltbay_cabinet_frames_total\{[^}]*direction="in"[^}]*kind="heartbeat"[^}]*\} 1|voltbay_cabinet_frames_total\{[^}]*kind="heartbeat"[^}]*direction="in"[^}]*\} 1/,
  )
  expect(text).toContain('voltbay_event_loop_lag_p99_seconds')
  expect(await (await get(gateway, '/health')).json()).toEqual({
    status: 'ok',
    node: gateway.node.name,
    database: true,
    cabinets: 1,
    terminals: 0,
  })
  expect((await get(gateway, '/anything')).status).toBe(404)
  expect((await get(gateway, '/metrics', 'POST')).status).toBe(404)
})

test('settings become a configuration, and a mistake one clear line', () => {
  const schema = z.object(gatewaySettings)
  const secrets = { keysSecret: 'x', cardKey: Buffer.alloc(32) }
  const config = gatewayConfig(
    parseSettings(schema, { CABINET_PORT: '0', CABINET_ALLOW: '10.0.0.0/8, 192.0.2.1' }),
    secrets,
  )
  expect(config).toMatchObject({ cabinetPort: 0, metricsPort: 9090, tls: null, allow: ['10.0.0.0/8', '192.0.2.1'] })
  expect(config.limits).toMatchObject({ loginDeadlineMs: 15_000, partialFrameDeadlineMs: 5_000, silentHeartbeats: 4 })
  expect(() => gatewayConfig(parseSettings(schema, { CABINET_TLS_PORT: '9443' }), secrets)).toThrow(BadSettings)
  const files = { CABINET_TLS_PORT: '9443', CABINET_TLS_CERT: '/nowhere/cert.pem', CABINET_TLS_KEY: '/nowhere/key.pem' }
  expect(() => gatewayConfig(parseSettings(schema, files), secrets)).toThrow('CABINET_TLS_CERT cannot be read: ENOENT')
  expect(() => parseSettings(schema, { CABINET_CONNECTIONS: 'many' })).toThrow('CABINET_CONNECTIONS')
})

test('a gate lets a bounded number in, in the order they came, and a failure leaves it', async () => {
  const door = limiter(2)
  const order: number[] = []
  let inside = 0
  let most = 0
  const works = Array.from({ length: 20 }, (_, n) =>
    door.run(async () => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((turn) => setImmediate(turn))
      inside -= 1
      order.push(n)
      if (n === 3) throw new Error('one of them fails')
    }),
  )
  expect(door.waiting()).toBe(18)
  const ended = await Promise.allSettled(works)
  expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(most).toBe(2)
  await door.idle()
  expect(door.waiting()).toBe(0)
})
