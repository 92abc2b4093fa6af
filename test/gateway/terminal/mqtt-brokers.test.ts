import { expect, test } from 'vitest'
import * as commands from '../../../db/paygo/terminal-commands.ts'
import { disable } from '../../../db/paygo/terminals.ts'
import { money } from '../../db/paygo/till.ts'
import { testDb } from '../../postgres.ts'
import { hasMosquitto, mosquitto } from '../mqtt-cluster/mosquitto.ts'
import { accessTo, nodeBehind } from '../mqtt-cluster/mqtt-brokers.ts'
import { mqttLine, mqttSignedOn } from './mqtt-line.ts'
import { lineTo, newTerminal, pan, sale, sessionOf, signedOn, terminalConfig } from './terminal-stage.ts'

const { db } = await testDb()

/** A broker that is not ours, and a gateway behind it that knows terminals. */
async function behindBroker(terminal: Partial<typeof terminalConfig> = {}) {
  const { url } = await mosquitto()
  const behind = (more: Partial<typeof terminalConfig> = {}) =>
    nodeBehind(db, accessTo(url), { terminal: { ...terminalConfig, ...terminal, ...more } })
  return { url, gateway: await behind(), behind }
}

test.runIf(hasMosquitto)('behind a foreign broker a terminal signs on, pays, is told, and signs off', async () => {
  const { url, gateway } = await behindBroker()
  const terminal = await newTerminal(db)
  const line = await mqttSignedOn(url, terminal)
  expect(await sessionOf(db, terminal)).toMatchObject({
    node: gateway.cluster!.name,
    epoch: 1,
    dialect: 'iso8583-mqtt',
  })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ mti: '0810', code: '00', isSigned: true })
  expect(await line.ask(sale())).toMatchObject({ mti: '0210', code: '00' })
  expect(await money(db, terminal.id)).toMatchObject({ books: { taken: 15_000 } })
  const { id } = await db.transaction((tx) => commands.enqueue(tx, null, { terminalId: terminal.id, type: 'ping' }))
  expect(await line.hear()).toMatchObject({ kind: 'ping', stan: '000001' })
  await line.say({ kind: 'result', stan: '000001', code: '00' })
  await expect.poll(async () => (await commands.get(db.sql, terminal.id, id))?.status).toBe('completed')
  expect(await line.ask({ kind: 'sign_off' })).toMatchObject({ code: '00' })
  await expect.poll(() => sessionOf(db, terminal)).toMatchObject({ node: null })
  expect(JSON.stringify(gateway.lines)).not.toContain(pan)
})

test.runIf(hasMosquitto)('two nodes behind one broker: whichever hears, the terminal is signed on', async () => {
  const { url, behind } = await behindBroker({ acquirer: { ACQUIRER_SECONDS: 0.3, ACQUIRER_LATE_SECONDS: 0.35 } })
  const other = await behind()
  const terminal = await newTerminal(db)
  const line = await mqttSignedOn(url, terminal)
  for (let n = 0; n < 6; n++) expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  expect(other.node.counts.heard.heartbeat).toBeGreaterThan(0)
  expect(await line.ask(sale({ amountMinor: 10_068 }))).toMatchObject({ mti: '0210', code: '68' })
  expect(await line.ask(sale())).toMatchObject({ mti: '0210', code: '00' })
})

test.runIf(hasMosquitto)('the newest line wins across TCP and a foreign broker', async () => {
  const { url, gateway } = await behindBroker()
  const terminal = await newTerminal(db)
  const tcp = await signedOn(gateway, terminal)
  const line = await mqttSignedOn(url, terminal)
  await tcp.ended
  const again = await signedOn(gateway, terminal)
  const seen = () => (gateway.node.counts.publishes.refused ?? 0) > 0
  // What comes by the older line is heard by nobody, as soon as its node has learnt of the newer.
  await expect
    .poll(async () => {
      await line.say({ kind: 'heartbeat' })
      return seen()
    })
    .toBe(true)
  expect(await again.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  expect(await sessionOf(db, terminal)).toMatchObject({ node: gateway.node.name, dialect: 'iso8583' })
})

test.runIf(hasMosquitto)('strangers, wrong keys, the disabled and those who have not signed on', async () => {
  const { url, gateway } = await behindBroker()
  const stranger = await mqttLine(url, { code: 'STRANGER', key: '00'.repeat(32) })
  expect(await stranger.ask({ kind: 'login' })).toMatchObject({ code: 'A0', isSigned: false })
  await expect
    .poll(() => db.sql`select reason from quarantine where box_id = 'STRANGER'`)
    .toEqual([{ reason: 'unknown_box_id' }])
  const terminal = await newTerminal(db)
  const line = await mqttLine(url, terminal)
  await line.say({ kind: 'heartbeat' })
  await expect.poll(() => gateway.node.counts.publishes.refused).toBe(1)
  const forged = lineTo(gateway, { ...terminal, key: '00'.repeat(32) }).codec
  line.link.publish(line.topic.up, forged.encode(sale() as never).subarray(2), { qos: 1 })
  expect(await line.hear()).toMatchObject({ code: 'A0' })
  await db.transaction((tx) => disable(tx, null, terminal.id))
  await expect
    .poll(async () => {
      const heard = await line.ask({ kind: 'login' })
      return 'code' in heard && heard.code
    })
    .toBe('58')
  expect(JSON.stringify(gateway.lines)).not.toContain(pan)
})

test.runIf(hasMosquitto)(
  'a terminal that is silent behind the broker is away after two heartbeats, and signs on again',
  async () => {
    const { url } = await behindBroker()
    const terminal = await newTerminal(db)
    const line = await mqttSignedOn(url, terminal)
    // What it said just now may still have to be written.
    const later = async () => {
      await db.sql`update device_sessions set seen_at = now() - interval '10 minutes' where device_id = ${terminal.id}`
      return await sessionOf(db, terminal)
    }
    await expect.poll(later).toMatchObject({ node: null })
    expect(await line.ask({ kind: 'login' })).toMatchObject({ code: '00' })
    expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  },
)

test.runIf(hasMosquitto)('a broker that asks lets terminals in by their keys, on their own topics', async () => {
  const { gateway } = await behindBroker()
  const [terminal, other] = [await newTerminal(db), await newTerminal(db)]
  const ask = async (hook: 'auth' | 'acl', question: object) => {
    const answer = await fetch(`http://127.0.0.1:${gateway.ports.metrics}/mqtt/${hook}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
    })
    return ((await answer.json()) as { result: string }).result
  }
  const { code: username, key: password } = terminal
  expect(await ask('auth', { username, password })).toBe('allow')
  expect(await ask('auth', { username, password, clientid: other.code })).toBe('deny')
  expect(await ask('auth', { username, password: other.key })).toBe('deny')
  const may = (topic: string, action: string) => ask('acl', { username, topic, action })
  expect(await may(`terminals/${username}/up`, 'publish')).toBe('allow')
  expect(await may(`terminals/${username}/down`, 'subscribe')).toBe('allow')
  expect(await may(`terminals/${username}/down`, 'publish')).toBe('deny')
  expect(await may(`terminals/${username}/up`, 'subscribe')).toBe('deny')
  expect(await may(`terminals/${other.code}/up`, 'publish')).toBe('deny')
  expect(await may('terminals/+/down', 'subscribe')).toBe('deny')
})
