import { once } from 'node:events'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { TcpFleetSettings } from '../../simulators/fleet/member.ts'
import { fleet } from '../../simulators/fleet/tcp-fleet.ts'
import { key, type Server, server } from './answering-server.ts'

const cabinets = 200
const open: { net: NetServer; sockets: Set<Socket> }[] = []
afterEach(async () => {
  for (const { net, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await once(net.close(), 'close')
  }
})

async function listening(settings: Parameters<typeof server>[1] = {}) {
  const servers: Server[] = []
  const addresses = new Set<string | undefined>()
  const arrivals: ((one: Server) => void)[] = []
  const sockets = new Set<Socket>()
  const net = createServer((socket) => {
    sockets.add(socket)
    addresses.add(socket.remoteAddress)
    const one = server(socket, settings)
    servers.push(one)
    arrivals.shift()?.(one)
    socket.once('close', () => sockets.delete(socket))
  })
  open.push({ net, sockets })
  await once(net.listen(0, '127.0.0.1'), 'listening')
  const { port } = net.address() as AddressInfo
  const arrival = () => new Promise<Server>((resolve) => arrivals.push(resolve))
  return { servers, addresses, arrival, port }
}

const settings = (port: number): TcpFleetSettings => ({
  cabinets,
  dialect: 'B',
  who: (index) => ({ boxId: `SIM${index}`, key }),
  slots: 8,
  banks: 4,
  host: '127.0.0.1',
  port,
  loginsPerSecond: 100_000,
  // Slow enough for a busy machine: a cabinet that is owed three answers dials anew.
  heartbeatSeconds: 1,
})

test.each(['A', 'B'] as const)('two hundred cabinets of dialect %s log in and live', async (dialect) => {
  const { port, servers } = await listening()
  const running = fleet({ ...settings(port), dialect })
  await running.everybody
  expect(running.online).toBe(cabinets)
  for (let times = 0; times < 2; times++) await Promise.all(servers.map((one) => one.next('heartbeat')))
  await running.stop()
  expect(running.counts).toMatchObject({ logins: cabinets, refusals: 0, unreadable: 0, failures: {} })
  expect(running.counts.heartbeats).toBeGreaterThanOrEqual(2 * cabinets)
  expect(running.counts.answered).toBe(running.counts.heartbeats)
  expect(running.latency.heartbeat.count).toBe(running.counts.answered)
  expect(new Set(servers.map(({ greeting }) => greeting?.boxId)).size).toBe(cabinets)
  expect(servers.every(({ greeting }) => greeting?.dialect === dialect)).toBe(true)
})

test('a member obeys like any cabinet, and no two hold the same bank', async () => {
  const { port, servers } = await listening()
  const running = fleet({ ...settings(port), cabinets: 3 })
  await running.everybody
  const [one] = servers
  one?.tell({ kind: 'eject', slot: 2 })
  const ejected = await one?.next('eject')
  expect(ejected).toMatchObject({ slot: 2, ok: true })
  one?.tell({ kind: 'eject', slot: 2 })
  expect(await one?.next('eject')).toMatchObject({ slot: 2, ok: false, bankId: null })
  for (const each of servers) each.tell({ kind: 'inventory' })
  const held = await Promise.all(servers.map((each) => each.next('inventory')))
  expect(held.map(({ banks }) => banks.length)).toEqual([3, 4, 4])
  const ids = held.flatMap(({ banks }) => banks.map(({ bankId }) => bankId))
  expect(new Set([...ids, ejected?.bankId]).size).toBe(12)
  await running.stop()
})

test('links that break are counted by reason and dialled again', async () => {
  const { port, servers, arrival } = await listening()
  const running = fleet({ ...settings(port), cabinets: 5 })
  await running.everybody
  const again = [arrival(), arrival()]
  for (const { stream } of servers.slice(0, 2)) stream.end()
  // Only who is logged in beats.
  for (const one of await Promise.all(again)) await one.next('heartbeat')
  expect(running.online).toBe(5)
  expect(running.counts.failures).toEqual({ 'closed by the server': 2 })
  await running.stop()
})

test('a server that falls silent is left after the third heartbeat it owes', async () => {
  const { port, servers, arrival } = await listening()
  const running = fleet({ ...settings(port), cabinets: 2, heartbeatSeconds: 0.3 })
  await running.everybody
  const again = [arrival(), arrival()]
  for (const each of servers) each.answers = false
  for (const one of await Promise.all(again)) await one.next('heartbeat')
  expect(running.counts.failures['heartbeats unanswered']).toBe(2)
  await running.stop()
})

test('who is turned away dials again after a pause, not at once', async () => {
  const { port, servers, arrival } = await listening()
  const turnedAway = [arrival(), arrival()]
  const running = fleet({
    ...settings(port),
    cabinets: 2,
    redialSeconds: 0.3,
    who: (index) => ({ boxId: `NO${index}`, key: 'wrong' }),
  })
  const from = performance.now()
  for (const one of turnedAway) void one.then(({ stream }) => stream.destroy())
  await Promise.all(turnedAway)
  const again = arrival()
  await again
  expect(performance.now() - from).toBeGreaterThan(290)
  expect(servers.length).toBeLessThanOrEqual(4)
  await running.stop()
})

test('refused logins are counted', async () => {
  const { port, arrival } = await listening({ accepts: false })
  const first = arrival()
  const running = fleet({ ...settings(port), dialect: 'A', cabinets: 1, redialSeconds: 0 })
  const one = await first
  await one.next('login')
  const second = arrival()
  one.stream.end()
  await second
  await running.stop()
  expect(running.counts.refusals).toBeGreaterThanOrEqual(1)
  expect(running.counts.logins).toBe(0)
})

test('dials spread over several source addresses', async () => {
  const { port, addresses } = await listening()
  const running = fleet({ ...settings(port), cabinets: 9, sources: 3 })
  await running.everybody
  await running.stop()
  expect([...addresses].sort()).toEqual(['127.0.0.1', '127.0.0.2', '127.0.0.3'])
})

test('a fleet that cannot be is refused', () => {
  expect(() => fleet({ ...settings(1), slots: 33 })).toThrow(RangeError)
  expect(() => fleet({ ...settings(1), slots: 4, banks: 5 })).toThrow(RangeError)
})
