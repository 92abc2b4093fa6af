import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import { imeiOf } from '../../simulators/cabinet/imei.ts'
import { mqttFleet } from '../../simulators/fleet/mqtt-fleet.ts'
import * as tcp from './answering-server.ts'
import { imei, server } from './broker.ts'

const main = new URL('../../simulators/main.ts', import.meta.url).pathname

function run(args: string[], input?: string) {
  const child = spawn(process.execPath, [main, ...args])
  if (input !== undefined) child.stdin.end(input)
  const done = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
    ([stdout, stderr, [code]]) => ({ stdout, stderr, code }),
  )
  return { child, done }
}
const cabinet = (port: number, ...more: string[]) => ['cabinet', '--dialect', 'mqtt', '--port', `${port}`, ...more]
const events = (stdout: string) => stdout.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []))

test('an IMEI ends in its check digit', () => {
  expect([imeiOf(1), imeiOf(2), imeiOf(900_001)]).toEqual(['001010010000014', '001010010000022', '001010019000015'])
  expect(() => imeiOf(1_000_000)).toThrow(RangeError)
})

test('a script over MQTT holds as one over TCP does, and names banks by their serial numbers', async () => {
  const far = await server()
  const script = [
    'wait login',
    'wait eject bankId=026ED580',
    'expect slot 1 empty',
    'expect banks 1',
    'insert 5 40818048',
    'wait returned slot=5',
    'fault http-return',
    'insert 6 93198088',
    'wait http_return answer=200 within 5s',
    'expect slot 6 93198088',
  ]
  const arrived = far.arrival()
  const { done } = run(
    cabinet(far.ports.http, '--banks', '40818048,40818049', '--instant', '--script', '-'),
    script.join('\n'),
  )
  await arrived
  await far.tell({ kind: 'eject', slot: 1, bankId: '026ED580' })
  const { stderr, code } = await done
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
})

test('left to itself a cabinet with a login of its own lives until it is told to stop, and keeps its password', async () => {
  const far = await server()
  const arrived = far.arrival()
  const login = ['--username', 'cabinet', '--password', far.passwordOf(0), '--client-id', 'hand-made']
  const { child, done } = run(cabinet(far.ports.mqtt, '--box-id', imei, ...login, '--instant', '--fault', 'twice'))
  await arrived
  await far.tell({ kind: 'inventory' })
  expect(await far.next('inventory')).toMatchObject({ slots: 8, banks: { length: 4 } })
  expect(far.clients[0]!.id).toBe('hand-made')
  child.kill('SIGTERM')
  const { stdout, code } = await done
  expect(code).toBe(0)
  expect(stdout).not.toContain(far.passwordOf(0))
})

test.each([
  [['cabinet', '--dialect', 'mqtt', '--username', 'x'], '--username goes with --password'],
  [['cabinet', '--dialect', 'mqtt', '--box-id', 'SIM1'], 'fifteen digits'],
  [['cabinet', '--dialect', 'mqtt', '--fault', 'glued'], 'a fault of TCP cabinets'],
  [['cabinet', '--key', 'K', '--fault', 'ignores-ttl'], 'a fault of MQTT cabinets'],
  [['cabinet', '--dialect', 'mqtt', '--banks', 'DCHA54000016'], 'no bank of this kind'],
  [['cabinet', '--dialect', 'mqtt', '--board', '1'], '--board 1'],
  [['fleet', '--key', 'K', '--mqtt', 'some'], '--mqtt some'],
])('%j is one clear line and exit 2', async (args, message) => {
  const { stdout, stderr, code } = await run(args, '').done
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toContain(message)
})

test('a fleet over MQTT asks for its broker, beats, and sums up in JSON', async () => {
  const far = await server()
  const address = ['--dialect', 'mqtt', '--port', `${far.ports.http}`, '--mqtt-heartbeat', '0.3']
  const { stdout, code } = await run(['fleet', '--cabinets', '10', ...address, '--seconds', '4']).done
  const [summary] = events(stdout)
  expect(summary).toMatchObject({ cabinets: 10, online: 10, logins: 10, failed: 0, failures: {} })
  expect(summary.heartbeat.p99_ms).toBeGreaterThan(0)
  expect(code).toBe(0)
  expect(new Set(far.calls.all.map(({ query }) => mqtt.readConnect(query).uuid))).toEqual(
    new Set(Array.from({ length: 10 }, (_, at) => imeiOf(at + 1))),
  )
})

test('a fleet may be mixed, and is one to whoever reads its figures', async () => {
  const far = await server()
  const net = createServer((socket) => void tcp.server(socket)).listen(0, '127.0.0.1')
  onTestFinished(() => void net.close())
  await once(net, 'listening')
  const { port } = net.address() as AddressInfo
  const both = ['--key', tcp.key, '--cabinets', '7', '--mqtt', '3', '--heartbeat', '0.3', '--mqtt-heartbeat', '0.3']
  const ports = ['--port', `${port}`, '--mqtt-port', `${far.ports.http}`]
  const { stdout, stderr, code } = await run(['fleet', ...both, ...ports, '--seconds', '4', '--json']).done
  expect(events(stderr).at(-1)).toMatchObject({ online: 10 })
  expect(events(stdout)[0]).toMatchObject({ cabinets: 10, online: 10, logins: 10, failed: 0 })
  expect(far.calls.all).toHaveLength(3)
  expect(code).toBe(0)
})

test('a fleet counts what it was told', async () => {
  const far = await server()
  const fleet = mqttFleet({
    cabinets: 1,
    who: () => ({ boxId: imei }),
    slots: 4,
    banks: 2,
    host: '127.0.0.1',
    port: far.ports.http,
    loginsPerSecond: 1000,
    heartbeatSeconds: 540,
  })
  await fleet.everybody
  await far.tell({ kind: 'inventory' })
  await far.next('inventory')
  expect(fleet.counts.commands).toBe(1)
  await fleet.stop()
  expect(fleet.online).toBe(0)
})
