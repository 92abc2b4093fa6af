import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import { connect as dialTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { deviceCodec } from '../../protocol/cabinet-tcp/index.ts'
import { testDb } from '../postgres.ts'
import { cert, key } from './localhost.ts'
import { brokerOn, credentialOf, device as mqttDevice, mqttStation } from './mqtt/mqtt-stage.ts'
import { gatewayOn, hello, station } from './stage.ts'

const { db } = await testDb()

// A bank must not be let out by an eject that lay in a buffer until its order was decided without it.

test('an eject that is not answered in time ends a TLS connection by a reset', async () => {
  const tls = { port: 0, cert: Buffer.from(cert), key: Buffer.from(key) }
  const gateway = await gatewayOn(db, {}, { tls })
  const { id, boxId } = await station(db, 'KEYB')
  const codec = deviceCodec('B', { key: 'KEYB' })
  const socket = dialTls({ port: gateway.ports.cabinetTls!, host: '127.0.0.1', ca: tls.cert, servername: 'localhost' })
  onTestFinished(() => void socket.destroy())
  socket.write(codec.encode(hello(boxId)))
  await once(socket, 'data')
  gateway.node.sessions.get(id)!.movement = { commandId: 0, until: gateway.node.clock.now }
  const [error] = await once(socket, 'error')
  expect(error).toMatchObject({ code: 'ECONNRESET' })
  expect(gateway.node.counts.ended).toEqual({ unanswered: 1 })
})

test('and a WebSocket, too', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const sockets: Socket[] = []
  const createWebsocket = (url: string) =>
    new WebSocket(url, ['mqtt'], {
      createConnection: () => {
        const socket = dial(gateway.ports.mqttWs!, '127.0.0.1')
        sockets.push(socket)
        return socket
      },
    }) as never
  await mqttDevice(gateway, imei, await credentialOf(db, imei), {
    url: `ws://127.0.0.1:${gateway.ports.mqttWs}/mqtt`,
    options: { createWebsocket, reconnectPeriod: 0 },
  })
  gateway.node.sessions.get(id)!.movement = { commandId: 0, until: gateway.node.clock.now }
  const [error] = await once(sockets[0]!, 'error')
  expect(error).toMatchObject({ code: 'ECONNRESET' })
})
