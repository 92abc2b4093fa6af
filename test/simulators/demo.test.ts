import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { noLatency } from '../../simulators/cabinet/latency.ts'
import { type DemoFleet, demoFleet } from '../../simulators/demo/demo-fleet.ts'
import { banks, key, type Server, server } from './answering-server.ts'
import * as mqtt from './broker.ts'

const stations = [
  { boxId: 'DEMO1', key, dialect: 'B', slots: 4, banks },
  { boxId: 'DEMO2', dialect: 'A', slots: 4, banks: 0 },
] as const

async function living(
  returnSeconds: readonly [number, number],
  work: (fleet: DemoFleet, servers: Server[]) => unknown,
) {
  const servers: Server[] = []
  const net = createServer((socket) => servers.push(server(socket)))
  await once(net.listen(0, '127.0.0.1'), 'listening')
  const { port } = net.address() as AddressInfo
  const fleet = demoFleet({ host: '127.0.0.1', port, stations, returnSeconds, latency: noLatency })
  await Promise.all(fleet.cabinets.map(({ loggedIn }) => loggedIn))
  await work(fleet, servers)
  await fleet.close()
  await once(net.close(), 'close')
}

test('a bank that was lent comes back where banks are missing, with less charge', () =>
  living([0.01, 0.02], async ({ cabinets }, servers) => {
    const [b] = servers.filter(({ greeting }) => greeting?.dialect === 'B')
    b?.tell({ kind: 'eject', slot: 1 })
    await b?.next('eject')
    const returned = await Promise.race(servers.map((one) => one.next('returned')))
    expect(returned.bank.bankId).toBe(banks[0])
    const holder = cabinets.find(({ box }) => [...box.banks.values()].some(({ bankId }) => bankId === banks[0]))
    expect(holder?.box.boxId).toBe('DEMO2')
    const bank = [...(holder?.box.banks.values() ?? [])].find(({ bankId }) => bankId === banks[0])
    expect(bank?.levelPercent).toBeLessThanOrEqual(80)
  }))

test('a demo that closes leaves nothing behind, banks on their way neither', () =>
  living([3600, 3600], async ({ cabinets }, servers) => {
    const [b] = servers.filter(({ greeting }) => greeting?.dialect === 'B')
    b?.tell({ kind: 'eject', slot: 1 })
    await b?.next('eject')
    expect(cabinets[0]?.box.gone).toEqual([banks[0]])
  }))

test('a bank of an MQTT cabinet comes back into one that takes it', async () => {
  const far = await mqtt.server()
  const two = [
    { boxId: mqtt.imei, dialect: 'mqtt', slots: 4, banks: mqtt.banks },
    { boxId: 'DEMO1', dialect: 'A', slots: 4, banks: 0 },
  ] as const
  const net = createServer((socket) => void server(socket)).listen(0, '127.0.0.1')
  await once(net, 'listening')
  const { port } = net.address() as AddressInfo
  const address = { host: '127.0.0.1', port, bootstrapPort: far.ports.http }
  const fleet = demoFleet({ ...address, stations: two, returnSeconds: [0.01, 0.02], latency: noLatency })
  await Promise.all(fleet.cabinets.map(({ loggedIn }) => loggedIn))
  await far.tell({ kind: 'eject', slot: 1, bankId: mqtt.banks[0]! })
  expect((await far.next('returned')).bank.bankId).toBe(mqtt.banks[0])
  await fleet.close()
  await once(net.close(), 'close')
  expect(() => demoFleet({ host: '127.0.0.1', port, stations: two })).toThrow('bootstrapPort')
})

test('a demo dials nobody else', () => {
  expect(() => demoFleet({ host: '192.0.2.1', port: 1, stations })).toThrow('--allow-remote')
})
