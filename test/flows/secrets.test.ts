import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { connect as dial } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as keys from '../../db/devices/keys.ts'
import { secret } from '../../db/platform/config.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { open } from '../../db/postgres/open.ts'
import { create as newUser } from '../../db/user-cli.ts'
import { seal } from '../../protocol/cabinet-tcp/frame.ts'
import { cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'
import { dialer } from '../../simulators/dial.ts'
import { client } from '../api/paygo/socket-client.ts'
import { mqttLine } from '../gateway/terminal/mqtt-line.ts'
import {
  type Line,
  lineTo,
  newStan,
  now,
  type Registered,
  reversalOf,
  sale,
  signedOn,
} from '../gateway/terminal/terminal-stage.ts'
import { npm } from '../npm-child.ts'
import { tempDataDir } from '../postgres.ts'
import { signed } from '../protocol/terminal-stage.ts'
import { found, inFiles, inRows, packed, type Secret, text, token } from './secret-search.ts'

// npm and a house with a database of its own: on a busy machine they take their time.
vi.setConfig({ testTimeout: 120_000 })

const secrets: Secret[] = []
const words = () => randomBytes(12).toString('hex')

/** A card number that nobody has, remembered. */
function pan(name: string): string {
  const number = `4000000${String(randomInt(1e9)).padStart(9, '0')}`
  secrets.push(packed(name, number))
  return number
}

/** A text nobody could guess, remembered. */
function hush(name: string, said = `${words()}a1`): string {
  secrets.push(text(name, said))
  return said
}

const framed = (message: Buffer) => Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message])

/** What a chip says: tag 57 is the track, 9F26 a cryptogram. */
const chipOf = (number: string) => `5713${number}D29122010000000000000F9F26080102030405060708`

/** Fields of a purchase of a typed card. */
const typed = (number: string, code: string) => ({
  ...{ 2: number, 3: '000000', 4: '000000015000', 7: now(), 11: newStan(), 12: now().slice(4), 13: now().slice(0, 4) },
  ...{ 14: '2912', 22: '011', 25: '00', 41: code, 49: '643' },
})

/** What no codec can read, with a card in it: of another vendor's spelling, cut short, with a field that is too long. */
function unreadables(code: string, carrier: string): Buffer[] {
  const [ascii, cut, long] = ['in ASCII', 'cut short', 'too long'].map((how) => pan(`card of ${carrier}, ${how}`))
  const whole = (number: string) => signed(0x0200, typed(number, code), '00'.repeat(32))
  const tooLong = whole(long!)
  // The length of the number stands right behind MTI and bitmap.
  tooLong[10] = 0x99
  return [Buffer.from(`0200F000000000000000${ascii}`), whole(cut!).subarray(0, -10), tooLong]
}

/** Waits for the answer to a heartbeat: whatever was said before it has been read by then, answered or not. */
async function heardOf({ hear }: Pick<Line, 'hear'>, stan: string) {
  while (true) {
    const heard = await hear()
    if ('mti' in heard && heard.mti === '0810' && heard.stan === stan) return
  }
}

/** A terminal's day over TCP. */
async function tillOverTcp(port: number, terminal: Registered) {
  const early = lineTo(port, terminal)
  early.write(framed(unreadables(terminal.code, 'a stranger')[0]!))
  await early.ended
  const line = await signedOn(port, terminal)
  const bought = sale({ entryMode: '011', card: { pan: pan('typed card'), expiry: '2912' } })
  expect(await line.ask(bought)).toMatchObject({ code: '00' })
  const track = `${pan('card of a stripe')}D29122019876543210`
  secrets.push(packed('track 2', track))
  expect(await line.ask(sale({ entryMode: '021', card: { track2: track } }))).toMatchObject({ code: '00' })
  const chip = { chip: chipOf(pan('card of a chip')), sequence: '001' }
  expect(await line.ask(sale({ card: chip }))).toMatchObject({ code: '00' })
  const held = sale({ kind: 'authorisation', card: { track2: `${pan('card of a deposit')}D29122010000000000` } })
  expect(await line.ask(held)).toMatchObject({ code: '00' })
  expect(await line.ask(reversalOf(bought))).toMatchObject({ code: '00' })
  const pinBlock = randomBytes(8).toString('hex').toUpperCase()
  secrets.push(packed('PIN block', pinBlock))
  line.write(framed(signed(0x0200, { ...typed(pan('card with a PIN'), terminal.code), 52: pinBlock }, terminal.key)))
  expect(await line.hear()).toMatchObject({ code: '40' })
  const forged = signed(0x0200, typed(pan('card under a wrong MAC'), terminal.code), '00'.repeat(32))
  for (const bytes of [forged, ...unreadables(terminal.code, 'a terminal')]) {
    line.write(framed(bytes))
    line.say({ kind: 'heartbeat', stan: '999999' })
    await heardOf(line, '999999')
  }
}

/** The same terminal over MQTT. */
async function tillOverMqtt(url: string, terminal: Registered) {
  await expect(mqttLine(url, { ...terminal, key: hush('wrong broker password') })).rejects.toThrow()
  const line = await mqttLine(url, terminal)
  expect(await line.ask({ kind: 'login' })).toMatchObject({ code: '00' })
  const card = { pan: pan('typed card over MQTT'), expiry: '2912' }
  expect(await line.ask(sale({ entryMode: '011', card }))).toMatchObject({ code: '00' })
  for (const bytes of unreadables(terminal.code, 'a broker')) {
    await line.link.publishAsync(line.topic.up, bytes, { qos: 1 })
    await line.say({ kind: 'heartbeat', stan: '999998' })
    await heardOf(line, '999998')
  }
}

interface Account {
  email: string
  password: string
  id: number
}

/** Sockets whose token stands in their address, good and bad: of somebody, and of a terminal with its key. */
async function sockets(api: string, { id, key }: Registered, bearer: string) {
  const open = (path: string, shown: string) =>
    client(new URL(`/ws/${path}?token=${shown}`, api).href.replace('http', 'ws'))
  expect(await open('notifications', bearer).next()).toMatchObject({ type: 'connected' })
  expect(await open(`terminals/terminal${id}`, key).next()).toMatchObject({ type: 'connected' })
  expect(await open('notifications', hush('wrong token of a socket')).closed).toBe(4401)
  const wrong = hush('wrong key of a socket', randomBytes(32).toString('hex'))
  expect(await open(`terminals/terminal${id}`, wrong).closed).toBe(4401)
}

/** Somebody logs in, rightly and wrongly, keeps a card, enrols a finger, trades tokens, and changes a password. */
async function person(api: string, { email, password, id }: Account, terminal: Registered) {
  const call = async (method: string, path: string, body: object | string, bearer?: string) => {
    const headers = { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) }
    const sent = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${api}/v1${path}`, { method, headers, body: sent })
    return { status: response.status, body: (await response.json()) as Record<string, string> }
  }
  const into = ({ body }: Awaited<ReturnType<typeof call>>) => {
    for (const name of ['access_token', 'refresh_token']) secrets.push(token(name, body[name]!))
    return body
  }
  const login = (plain: string) => call('POST', '/auth/login', { email, password: plain })
  expect((await login(hush('wrong password'))).status).toBe(401)
  expect((await call('POST', '/auth/login', `{"password":"${hush('password in broken JSON')}`)).status).toBe(422)
  const first = into(await login(password))
  const bearer = first.access_token!
  await sockets(api, terminal, bearer)
  const card = { expiry_month: 12, expiry_year: 2035, cvv: '0739', cardholder_name: 'IVAN IVANOV' }
  const kept = (card_number: string, more: object = {}) =>
    call('POST', '/cards', { card_number, ...card, ...more }, bearer)
  expect((await kept(pan('kept card'))).status).toBe(201)
  expect((await kept(pan('card of a bad month'), { expiry_month: 13 })).status).toBe(422)
  expect((await kept(pan('card without a token'))).status).toBe(201)
  const finger = { user_id: `user${id}`, biometric_type: 'fingerprint', template_data: hush('template') }
  expect((await call('POST', '/auth/biometric', { ...finger, template_data: hush('other finger') })).status).toBe(401)
  into(await call('POST', '/auth/biometric', finger, bearer))
  into(await call('POST', '/auth/biometric', finger))
  const next = into(await call('POST', `/auth/refresh?refresh_token=${first.refresh_token}`, {}))
  expect((await call('POST', '/auth/refresh', { refresh_token: 'x.y.z' })).status).toBe(401)
  const changed = { current_password: password, new_password: hush('new password') }
  expect((await call('POST', '/users/change-password', changed, next.access_token)).status).toBe(200)
}

/** The panel and YooKassa tell something; of YooKassa it is asked about with the key of the shop, where nobody answers. */
async function payers(api: string, panel: string) {
  const tell = (name: string, body: string, headers: object = {}) =>
    fetch(new URL(`/webhook/${name}`, api), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    }).then(({ status }) => status)
  const event = JSON.stringify({ event: 'user.modified', data: { id: randomInt(1e9) } })
  const signed = (key: string) => ({ 'x-remnawave-signature': createHmac('sha256', key).update(event).digest('hex') })
  expect(await tell('panel', event, signed(panel))).toBe(200)
  expect(await tell('panel', event, signed(hush('forged secret of the panel')))).toBe(403)
  const object = { id: 'paid', status: 'succeeded', amount: { value: '1.00', currency: 'RUB' } }
  expect(await tell('yookassa', JSON.stringify({ event: 'payment.succeeded', object }))).toBe(200)
}

/** Telegram tells of stars with its secret, and somebody with another. */
async function notices(api: string, right: string) {
  const tell = (secret: string) =>
    fetch(new URL('/webhook/stars', api), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': secret },
      body: JSON.stringify({ update_id: randomInt(1e9) }),
    }).then(({ status }) => status)
  expect(await tell(right)).toBe(200)
  expect(await tell(hush('forged secret of Telegram'))).toBe(403)
}

/** A TCP-B cabinet, and a frame from nobody whose bytes the log keeps. */
async function street(db: Db, port: number, keysSecret: string, marker: string) {
  const key = hush('key of a station')
  const boxId = 'SECRETS000000001'
  await db.transaction(async (tx) => {
    const [row] = await tx<{ id: number }[]>`
      insert into stations (box_id, slots_declared, status) values (${boxId}, 8, 'active') returning id`
    await keys.add(tx, null, { deviceId: row!.id, value: key }, keysSecret)
  })
  const server = { host: '127.0.0.1', port: String(port), heartbeatSeconds: 30 }
  const box = cabinet(dialer(false), { boxId, slots: 8, banks: [], dialect: 'B', key, server })
  onTestFinished(() => box.close())
  await box.loggedIn
  const nobody = dial(port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => void nobody.destroy())
  nobody.write(seal(0x60, 1, 0, Buffer.from(marker)))
}

/** A house of its own, with a database that others can look into. */
async function house(given: Record<string, string>) {
  const dataDir = tempDataDir()
  const started = npm(['start'], { DATA_DIR: dataDir, ...given })
  const ready = (await started.said('voltbay.ready')) as Record<'api' | 'cabinets' | 'terminals' | 'broker', string>
  const since = Date.now()
  const { db, stop } = await open({ dataDir, log: () => {} })
  onTestFinished(stop)
  return { dataDir, started, ready, since, db, keysSecret: secret('KEYS_SECRET', dataDir, true) }
}

/** Registers a terminal as an operator does. */
async function terminalAt(dataDir: string): Promise<Registered> {
  const about = ['--name', 'Касса', '--location', 'Зал', '--address', 'Москва', '--methods', 'nfc']
  const made = npm(['terminal', '--', 'create', '--serial', 'T0000001', ...about], { DATA_DIR: dataDir })
  expect(await made.gone).toBe(0)
  const { id, terminal_code: code, key } = JSON.parse(made.lines.at(-1)!)
  secrets.push(packed('key of a terminal', key))
  return { id: Number(id.replace('terminal', '')), code, key }
}

const portOf = (url: string) => Number(new URL(url).port)

test('what was secret stands in no row, no file and no line of the log', async () => {
  const marker = words()
  const stars = hush('secret of Telegram')
  const panel = hush('secret of the panel', `${words()}${words()}`)
  const key = hush('key of YooKassa', `test_${words()}`)
  hush('what YooKassa is told by', Buffer.from(`100500:${key}`).toString('base64'))
  const { dataDir, started, ready, since, db, keysSecret } = await house({
    ...{
      STARS_WEBHOOK_SECRET: stars,
      PANEL_WEBHOOK_SECRET: panel,
      YOOKASSA_SHOP_ID: '100500',
      YOOKASSA_SECRET_KEY: key,
    },
    ...{ YOOKASSA_API_URL: 'http://127.0.0.1:1', YOOKASSA_IP_CHECK: 'off' },
  })
  const terminal = await terminalAt(dataDir)
  const [email, password] = ['secrets@example.com', hush('password')]
  const account = { name: marker, email, password, role: ['paygo:user'] }
  const { id } = await newUser(db, account)
  await street(db, portOf(ready.cabinets), keysSecret, marker)
  await tillOverTcp(portOf(ready.terminals), terminal)
  await tillOverMqtt(ready.broker, terminal)
  await person(ready.api, { email, password, id }, terminal)
  await notices(ready.api, stars)
  await payers(ready.api, panel)
  await db.sql`checkpoint`

  const log = () => Buffer.from(started.lines.join('\n'))
  await expect.poll(() => log().toString(), { timeout: 20_000 }).toContain('YooKassa could not be asked')
  const planted = [text('marker', marker)]
  const where = { since, own: ['jwt_secret.txt', 'keys_secret.txt'] }
  await expect.poll(() => found('log', log(), planted)).toEqual(['log: marker'])
  expect(await inRows(db, planted)).toContain('users: marker')
  const marked = inFiles(dataDir, planted, where)
  expect(marked.filter((line) => line.includes('pg_wal'))).not.toEqual([])
  expect(marked.filter((line) => line.includes('/base/'))).not.toEqual([])

  const all = [...found('log', log(), secrets), ...(await inRows(db, secrets)), ...inFiles(dataDir, secrets, where)]
  expect(all).toEqual([])
  // No number begins with a zero: a word of its own that reads so is the CVV.
  const cvv = /(?<![\w.:+-])0739(?![\w:-])/
  expect(log().toString().match(cvv)).toBeNull()
  const rows = await inRows(db, [{ name: 'CVV', forms: [Buffer.from('"0739"'), Buffer.from('cvv')] }])
  expect(rows).toEqual([])
})
