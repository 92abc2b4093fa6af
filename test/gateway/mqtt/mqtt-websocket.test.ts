import { connect as dial } from 'node:net'
import { generate } from 'mqtt-packet'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { testDb } from '../../postgres.ts'
import { brokerOn, type Running } from './mqtt-stage.ts'

const { db } = await testDb()

const upgradeWithoutSubprotocol = [
  'GET / HTTP/1.1',
  'Host: cabinets',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')

/** Asks for what is refused. */
async function refused({ ports }: Running) {
  const socket = dial({ port: ports.mqttWs!, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(upgradeWithoutSubprotocol)
  return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

test('whoever is refused and hangs up in the middle of it harms nobody', async () => {
  const gateway = await brokerOn(db)
  const crashes: unknown[] = []
  const caught = (error: unknown) => crashes.push(error)
  process.on('uncaughtException', caught)
  onTestFinished(() => void process.off('uncaughtException', caught))
  for (let times = 1; times <= 20; times += 1) {
    const { socket, closed } = await refused(gateway)
    socket.resetAndDestroy()
    await closed
  }
  await expect.poll(() => gateway.node.counts.turnedAway.no_mqtt_subprotocol ?? 0).toBeGreaterThan(0)
  expect((await fetch(`http://127.0.0.1:${gateway.ports.mqttWs}/`)).status).toBe(426)
  expect(crashes).toEqual([])
})

test('whoever is refused and does not hang up is hung up on', async () => {
  const gateway = await brokerOn(db, {}, { connectionsPerAddressMax: 1 })
  const { socket, closed } = await refused(gateway)
  socket.resume()
  await new Promise((resolve) => socket.once('end', resolve))
  // Its own half is open still, and the door has let it go all the same: there is room for the next.
  await expect
    .poll(() =>
      fetch(`http://127.0.0.1:${gateway.ports.mqttWs}/`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(426)
  socket.end()
  await closed
})

test('MQTT in a text frame ends the connection, unheard', async () => {
  const gateway = await brokerOn(db)
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.ports.mqttWs}/mqtt`, 'mqtt')
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await new Promise((resolve) => socket.once('open', resolve))
  const heard: Buffer[] = []
  socket.on('message', (data: Buffer) => heard.push(data))
  // All of its bytes are ASCII, so that the same arrives as would in a binary frame.
  socket.send(
    generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId: 'x' }).toString(),
  )
  await closed
  expect(heard).toEqual([])
  expect(gateway.node.counts.ended).toEqual({ text_frame: 1 })
})
