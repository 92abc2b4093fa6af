import { connect as dialTls } from 'node:tls'
import { expect, test } from 'vitest'
import { disable } from '../../../db/paygo/terminals.ts'
import { isNearby } from '../../../gateway/networks.ts'
import { mayCarryCards } from '../../../gateway/terminal/plain-lines.ts'
import { testDb } from '../../postgres.ts'
import { signed } from '../../protocol/terminal-stage.ts'
import { cert, key as tlsKey } from '../localhost.ts'
import { lineTo, newTerminal, now, secondKey, sessionOf, signedOn, terminalGateway } from './terminal-stage.ts'

const { db } = await testDb()
const a0 = { code: 'A0', isSigned: false }

/** A message as a frame. */
const framed = (message: Buffer) => Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message])

test('a terminal signs on, echoes and signs off', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = lineTo(gateway, terminal)
  expect(await line.ask({ kind: 'login', stan: '000001' })).toMatchObject({
    mti: '0810',
    code: '00',
    stan: '000001',
    isSigned: true,
  })
  expect(await sessionOf(db, terminal)).toEqual({
    node: gateway.node.name,
    epoch: 1,
    dialect: 'iso8583',
    heartbeatSeconds: 60,
  })
  expect(await line.ask({ kind: 'heartbeat', stan: '000002' })).toMatchObject({
    mti: '0810',
    code: '00',
    stan: '000002',
  })
  expect(gateway.node.sessions.count('terminal')).toBe(1)
  expect(await line.ask({ kind: 'sign_off' })).toMatchObject({ mti: '0810', code: '00' })
  await line.ended
  await expect.poll(() => sessionOf(db, terminal)).toMatchObject({ node: null })
  expect(gateway.node.counts).toMatchObject({ logins: 1, ended: { signed_off: 1 } })
  const kinds = await db.sql`select kind from events where (data->>'terminalId')::bigint = ${terminal.id} order by id`
  expect(kinds.map(({ kind }) => kind)).toEqual(['terminal.created', 'terminal.connected', 'terminal.disconnected'])
})

test('an answer has the routing header of its question, turned round', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = lineTo(gateway, terminal, { tpdu: Buffer.from('6000010002', 'hex') })
  line.say({ kind: 'login' })
  expect((await line.frame())!.toString('hex', 2, 7)).toBe('6000020001')
})

test('what comes before a sign-on ends the line, and so does silence', async () => {
  const gateway = await terminalGateway(db, {}, { loginDeadlineMs: 50 })
  const terminal = await newTerminal(db)
  const early = lineTo(gateway, terminal)
  early.say({ kind: 'heartbeat' })
  await early.ended
  const mute = lineTo(gateway, terminal)
  await mute.ended
  const half = lineTo(gateway, terminal)
  half.write(Buffer.of(0, 60, 0x08))
  await half.ended
  expect(gateway.node.counts.ended).toEqual({ not_signed_on: 1, no_login: 2 })
  expect(await sessionOf(db, terminal)).toBeUndefined()
})

test('a terminal nobody knows, or with another key, hears A0 and is written down', async () => {
  const gateway = await terminalGateway(db)
  const unknown = { code: 'UNKNOWN0', key: 'AB'.repeat(32) }
  const stranger = lineTo(gateway, unknown)
  expect(await stranger.ask({ kind: 'login', stan: '000007' })).toMatchObject({ mti: '0810', stan: '000007', ...a0 })
  await stranger.ended
  const terminal = await newTerminal(db)
  const impostor = lineTo(gateway, { ...terminal, key: unknown.key })
  expect(await impostor.ask({ kind: 'login' })).toMatchObject(a0)
  await impostor.ended
  const pending = () => db.sql`select box_id, dialect, reason from quarantine where kind = 'terminal' order by id`
  await expect.poll(pending).toEqual([
    { boxId: 'UNKNOWN0', dialect: 'iso8583', reason: 'unknown_box_id' },
    { boxId: terminal.code, dialect: 'iso8583', reason: 'bad_token' },
  ])
  expect(gateway.node.counts.loginsRefused).toEqual({ unknown_box_id: 1, bad_token: 1 })
})

test('a disabled terminal hears 58, and one that is disabled while it is on loses its line', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  await db.transaction((tx) => disable(tx, null, terminal.id))
  await line.ended
  const again = lineTo(gateway, terminal)
  expect(await again.ask({ kind: 'login' })).toMatchObject({ code: '58', isSigned: true })
  await again.ended
  expect(gateway.node.counts.ended).toEqual({ no_longer_known: 1, disabled: 1 })
})

test('five wrong MACs in a row end the line, each answered A0; a right one in between begins anew', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  const wrong = lineTo(gateway, { ...terminal, key: '00'.repeat(32) })
  const forged = () => wrong.codec.encode({ kind: 'heartbeat', stan: '000009', sentAt: now() })
  for (let n = 0; n < 4; n++) {
    line.write(forged())
    expect(await line.hear()).toMatchObject({ mti: '0810', stan: '000009', ...a0 })
  }
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  for (let n = 0; n < 5; n++) {
    line.write(forged())
    expect(await line.hear()).toMatchObject(a0)
  }
  await line.ended
  expect(gateway.node.counts).toMatchObject({ malformed: 9, ended: { malformed: 1 } })
})

test('while two keys are good each is answered with its own, and a key that comes while it is on is heard', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  const key = await secondKey(db, terminal)
  const young = lineTo(gateway, { ...terminal, key }, { socket: line.socket })
  // Told by a bell; until it has rung the new key is a wrong one.
  const heard = async () => {
    line.write(young.codec.encode({ kind: 'heartbeat', stan: '000003', sentAt: now() }))
    const frame = await line.frame()
    return young.codec.decode(frame!)
  }
  await expect.poll(heard).toMatchObject({ code: '00', isSigned: true })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00', isSigned: true })
  // Both at once, in one write: the second is heard before the first is answered.
  const [old, fresh] = [line.codec, young.codec].map((codec, n) =>
    codec.encode({ kind: 'login', terminalCode: terminal.code, stan: `00001${n}`, sentAt: now() }),
  )
  line.write(Buffer.concat([old!, fresh!]))
  expect(line.codec.decode((await line.frame())!)).toMatchObject({ stan: '000010', code: '00', isSigned: true })
  expect(young.codec.decode((await line.frame())!)).toMatchObject({ stan: '000011', code: '00', isSigned: true })
})

test("another's field 41 is not permitted, and what cannot be acted on is answered with its code", async () => {
  const gateway = await terminalGateway(db)
  const [terminal, other] = [await newTerminal(db), await newTerminal(db)]
  const line = await signedOn(gateway, terminal)
  const mine = lineTo(gateway, { code: other.code, key: terminal.key })
  line.write(mine.codec.encode({ kind: 'heartbeat', stan: '000004', sentAt: now() }))
  expect(await line.hear()).toMatchObject({ stan: '000004', code: '58', isSigned: true })
  line.write(framed(signed(0x0800, { 7: now(), 11: '000005', 41: terminal.code, 70: '161' }, terminal.key)))
  expect(await line.hear()).toMatchObject({ stan: '000005', code: '40', isSigned: true })
  line.write(framed(signed(0x0300, { 7: now(), 11: '000006', 41: terminal.code }, terminal.key)))
  expect(await line.hear()).toMatchObject({ mti: '0310', stan: '000006', code: '12' })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
})

test('the newest line wins, also of two that sign on at once', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const old = await signedOn(gateway, terminal)
  const young = await signedOn(gateway, terminal)
  await old.ended
  expect(await young.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  const both = [lineTo(gateway, terminal), lineTo(gateway, terminal)]
  for (const line of both) line.say({ kind: 'login' })
  await young.ended
  await Promise.race(both.map(({ ended }) => ended))
  expect(gateway.node.sessions.count()).toBe(1)
  expect(await sessionOf(db, terminal)).toMatchObject({ node: gateway.node.name, epoch: 4 })
  await expect.poll(() => gateway.node.counts.ended).toMatchObject({ superseded: 3 })
})

test('a sign-on said again on its line is answered again', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  expect(await line.ask({ kind: 'login' })).toMatchObject({ code: '00' })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  expect(await sessionOf(db, terminal)).toMatchObject({ epoch: 2 })
})

test('halves of a frame are put together, frames in one write are taken apart, and a length that cannot be true ends the line', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = lineTo(gateway, terminal)
  const say = (kind: 'login' | 'heartbeat', stan: string) =>
    line.codec.encode({ kind, stan, sentAt: now(), ...(kind === 'login' && { terminalCode: terminal.code }) } as never)
  const login = say('login', '000001')
  line.write(login.subarray(0, 9))
  await new Promise((flushed) => line.socket.write(login.subarray(9, 20), flushed))
  line.write(Buffer.concat([login.subarray(20), say('heartbeat', '000002'), say('heartbeat', '000003')]))
  for (const stan of ['000001', '000002', '000003']) expect(await line.hear()).toMatchObject({ stan, code: '00' })
  line.write(Buffer.of(0xff, 0xff, 1, 2))
  await line.ended
  expect(gateway.node.counts).toMatchObject({ brokenStreams: 1, ended: { broken_stream: 1 } })
})

test('two heartbeats without a word and a terminal is away', async () => {
  const gateway = await terminalGateway(db, { heartbeatSeconds: 1 })
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  await line.ended
  expect(gateway.node.counts.ended).toEqual({ silent: 1 })
  await expect.poll(() => sessionOf(db, terminal)).toMatchObject({ node: null })
})

test('a gateway that stops gives its terminals back', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  await gateway.close()
  await line.ended
  expect(await sessionOf(db, terminal)).toMatchObject({ node: null })
})

test('over TLS the same is said', async () => {
  const gateway = await terminalGateway(db, { tls: { port: 0, cert: Buffer.from(cert), key: Buffer.from(tlsKey) } })
  const terminal = await newTerminal(db)
  const socket = dialTls({ port: gateway.ports.terminalTls!, host: '127.0.0.1', rejectUnauthorized: false })
  const line = await signedOn(gateway, terminal, { socket })
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
})

test('cards come in the clear from near only, unless the operator says otherwise', async () => {
  const { socket } = lineTo(await terminalGateway(db), await newTerminal(db))
  const may = (address: string, isPlainAllowed = false) => mayCarryCards({ isPlainAllowed }, socket, address)
  const near = ['127.0.0.1', '10.1.2.3', '172.31.255.255', '192.168.0.1', '169.254.1.1', '::1', 'fd00::1', 'fe80::1']
  const far = ['8.8.8.8', '172.32.0.1', '100.64.0.1', '192.0.2.1', '2001:db8::1', '']
  expect(near.map(isNearby)).toEqual(near.map(() => true))
  expect(far.map((address) => may(address))).toEqual(far.map(() => false))
  expect(may('8.8.8.8', true)).toBe(true)
})
