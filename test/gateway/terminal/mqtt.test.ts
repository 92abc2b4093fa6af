import { expect, test } from 'vitest'
import * as commands from '../../../db/paygo/terminal-commands.ts'
import { disable } from '../../../db/paygo/terminals.ts'
import { topicOf, topics } from '../../../protocol/terminal-iso8583/topics.ts'
import { money } from '../../db/paygo/till.ts'
import { testDb } from '../../postgres.ts'
import { mqtt } from '../mqtt/mqtt-stage.ts'
import { mqttLine, mqttSignedOn } from './mqtt-line.ts'
import { lineTo, newTerminal, pan, type Running, sale, sessionOf, signedOn, terminalGateway } from './terminal-stage.ts'

const { db } = await testDb()
const broker = (terminal: Parameters<typeof terminalGateway>[1] = {}, limits = {}) =>
  terminalGateway(db, terminal, limits, { mqtt })
const urlOf = ({ ports }: Running) => `mqtt://127.0.0.1:${ports.mqtt}`

test('a terminal signs on at the broker, echoes, pays, and signs off', async () => {
  const gateway = await broker()
  const terminal = await newTerminal(db)
  const line = await mqttSignedOn(urlOf(gateway), terminal)
  expect(await sessionOf(db, terminal)).toMatchObject({
    node: gateway.node.name,
    epoch: 1,
    dialect: 'iso8583-mqtt',
    heartbeatSeconds: 60,
  })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ mti: '0810', code: '00', isSigned: true })
  expect(await line.ask(sale())).toMatchObject({ mti: '0210', code: '00', isSigned: true })
  expect(await money(db, terminal.id)).toMatchObject({ books: { taken: 15_000 } })
  expect(await line.ask({ kind: 'sign_off' })).toMatchObject({ mti: '0810', code: '00' })
  await line.ended
  await expect.poll(() => sessionOf(db, terminal)).toMatchObject({ node: null })
  expect(JSON.stringify(gateway.lines)).not.toContain(pan)
})

test('a purchase that waits for the acquirer is acknowledged, and the line goes on', async () => {
  const gateway = await broker({ acquirer: { ACQUIRER_SECONDS: 0.3, ACQUIRER_LATE_SECONDS: 0.35 } })
  const line = await mqttSignedOn(urlOf(gateway), await newTerminal(db))
  await line.say(sale({ amountMinor: 10_068, stan: '000068' }))
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ mti: '0810' })
  expect(await line.hear()).toMatchObject({ mti: '0210', stan: '000068', code: '68' })
})

test('a command comes by the broker, also where the terminal subscribes late', async () => {
  const gateway = await broker()
  const terminal = await newTerminal(db)
  const line = await mqttLine(urlOf(gateway), terminal, { isSubscribed: false })
  await line.say({ kind: 'login' })
  const { id } = await db.transaction((tx) => commands.enqueue(tx, null, { terminalId: terminal.id, type: 'ping' }))
  await line.link.subscribeAsync(line.topic.down, { qos: 0 })
  const command = await line.hear()
  expect(command).toMatchObject({ kind: 'ping', stan: '000001' })
  await line.say({ kind: 'result', stan: '000001', code: '00' })
  await expect.poll(async () => (await commands.get(db.sql, terminal.id, id))?.status).toBe('completed')
})

test('only its key opens the broker to a terminal, and who knocks is written down', async () => {
  const gateway = await broker()
  const [terminal, other] = [await newTerminal(db), await newTerminal(db)]
  const refused = (code: string, key: string) =>
    expect(mqttLine(urlOf(gateway), { code, key })).rejects.toMatchObject({ code: 4 })
  await refused(terminal.code, other.key)
  await refused('NOBODY00', terminal.key)
  await refused(terminal.code, '')
  const pending = await db.sql`select box_id, dialect, reason from quarantine order by id`
  expect(pending).toEqual([
    { boxId: terminal.code, dialect: 'iso8583-mqtt', reason: 'bad_token' },
    { boxId: 'NOBODY00', dialect: 'iso8583-mqtt', reason: 'unknown_box_id' },
  ])
  const line = await mqttSignedOn(urlOf(gateway), { ...terminal, key: terminal.key.toUpperCase() })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
})

test('a terminal hears its own commands and nothing else, and speaks for itself only', async () => {
  const gateway = await broker()
  const [terminal, other] = [await newTerminal(db), await newTerminal(db)]
  const line = await mqttSignedOn(urlOf(gateway), terminal)
  const granted = await line.link
    .subscribeAsync([topics(other.code).down, 'terminals/+/down', '#', line.topic.up])
    .then(
      (given) => given.map(({ qos }) => qos as number),
      () => 'refused',
    )
  expect(granted === 'refused' || (granted as number[]).every((qos) => qos === 128)).toBe(true)
  void line.say({ kind: 'heartbeat' }, { topic: topics(other.code).up }).catch(() => {})
  await line.ended
  expect(gateway.node.counts.publishes).toMatchObject({ refused: 1 })
})

test('a sign-on over MQTT ends the line over TCP, and the reverse', async () => {
  const gateway = await broker()
  const terminal = await newTerminal(db)
  const tcp = await signedOn(gateway, terminal)
  const line = await mqttSignedOn(urlOf(gateway), terminal)
  await tcp.ended
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  const again = await signedOn(gateway, terminal)
  await line.ended
  expect(await again.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  expect(await sessionOf(db, terminal)).toMatchObject({ epoch: 3, dialect: 'iso8583' })
  expect(gateway.node.counts.ended).toEqual({ superseded: 2 })
})

test('nothing before a sign-on, and it must come soon', async () => {
  const gateway = await broker({}, { loginDeadlineMs: 1_000 })
  const early = await mqttLine(urlOf(gateway), await newTerminal(db))
  void early.say({ kind: 'heartbeat' }).catch(() => {})
  await early.ended
  const mute = await mqttLine(urlOf(gateway), await newTerminal(db))
  await mute.ended
  expect(gateway.node.counts.ended).toEqual({ not_signed_on: 1, no_login: 1 })
})

test('a disabled terminal hears 58; two heartbeats of silence end a line', async () => {
  const gateway = await broker({ heartbeatSeconds: 1 })
  const terminal = await newTerminal(db)
  const quiet = await mqttSignedOn(urlOf(gateway), terminal)
  await quiet.ended
  await db.transaction((tx) => disable(tx, null, terminal.id))
  const line = await mqttLine(urlOf(gateway), terminal)
  void line.say({ kind: 'login' }).catch(() => {})
  expect(await line.hear()).toMatchObject({ code: '58', isSigned: true })
  await line.ended
  expect(gateway.node.counts.ended).toEqual({ silent: 1, disabled: 1 })
})

test('five wrong MACs in a row end the line, each answered A0', async () => {
  const gateway = await broker()
  const terminal = await newTerminal(db)
  const line = await mqttSignedOn(urlOf(gateway), terminal)
  const wrong = lineTo(gateway, { ...terminal, key: '00'.repeat(32) }).codec
  for (let n = 0; n < 5; n++) {
    // A frame's message behind its length.
    const message = wrong.encode({ kind: 'heartbeat', stan: '000001', sentAt: '1128203107' }).subarray(2)
    line.link.publish(line.topic.up, message, { qos: 1 })
    expect(await line.hear()).toMatchObject({ code: 'A0', isSigned: false })
  }
  await line.ended
  expect(gateway.node.counts).toMatchObject({ malformed: 5, publishes: { poisoned: 5 } })
})

test('what is said with RETAIN is heard once and kept for nobody', async () => {
  const gateway = await broker()
  const terminal = await newTerminal(db)
  const line = await mqttSignedOn(urlOf(gateway), terminal)
  await line.say({ kind: 'heartbeat', stan: '000077' }, { retain: true })
  expect(await line.hear()).toMatchObject({ stan: '000077', code: '00' })
  line.link.end(true)
  const again = await mqttSignedOn(urlOf(gateway), terminal)
  expect(await again.ask({ kind: 'heartbeat', stan: '000078' })).toMatchObject({ stan: '000078' })
})

test('a topic is of one terminal or of none', () => {
  expect(topicOf(topics('T0000001').up)).toEqual({ terminalCode: 'T0000001', direction: 'up' })
  for (const other of [
    'terminals/+/up',
    'terminals/t0000001/up',
    'terminals/T0000001/up/',
    '/terminals/T0000001/up',
    'terminals/T0000001/heart',
  ])
    expect(topicOf(other)).toBeNull()
  expect(() => topics('+')).toThrow(RangeError)
})
