import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { readConnectAnswer, signed } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, mqttStation, type Running } from './mqtt-stage.ts'

const { db } = await testDb()

/** Bytes to the cabinets' HTTP door, and what comes back until it closes. */
async function say({ ports }: Running, bytes: string) {
  const socket = dial({ port: ports.calls!, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write(bytes)
  const [head, body] = (await text(socket)).split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head!)?.[1]), body: body ?? '' }
}

const query = (uuid: string) =>
  signed({ simUUID: '8970100000000000001', simMobile: '', uuid, deviceId: '0' }).toString()

test.each([
  ['HTTP/1.0 without a Host', 'HTTP/1.0', '', '127.0.0.1'],
  ['HTTP/1.0 with one', 'HTTP/1.0', 'Host: gw.example.org\r\n', 'gw.example.org'],
  ['HTTP/1.1 that leaves its Host out', 'HTTP/1.1', 'Connection: close\r\n', '127.0.0.1'],
])('a modem that speaks %s is told where to dial', async (_, version, headers, host) => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  for (const [method, path] of [
    ['POST', '/api/rentbox/client/connect'],
    ['GET', '/api/iot/client/con'],
  ]) {
    const said = await say(gateway, `${method} ${path}?${query(imei)} ${version}\r\n${headers}\r\n`)
    expect(said.status).toBe(200)
    expect(readConnectAnswer(said.body)).toMatchObject({ host, port: gateway.ports.mqtt })
  }
  const body = 'hardware=V6086&software=2024'
  const post = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const said = await say(gateway, `POST /api/rentbox/client/connect?${query(imei)} ${version}\r\n${headers}${post}`)
  expect(readConnectAnswer(said.body).host).toBe(host)
})

test.each([
  ['a path nobody has', 'GET /nothing HTTP/1.0\r\n\r\n', 404],
  ['no signature', 'GET /api/rentbox/client/connect?uuid=1 HTTP/1.0\r\n\r\n', 401],
  ['a Host that is none', 'GET /nothing HTTP/1.0\r\nHost: a/b\r\n\r\n', 400],
])('%s is answered in the envelope too', async (_, bytes, code) => {
  const { status, body } = await say(await brokerOn(db), bytes)
  expect(status).toBe(code)
  expect(JSON.parse(body)).toMatchObject({ code, type: 0, msg: expect.any(String), time: expect.any(Number) })
})
