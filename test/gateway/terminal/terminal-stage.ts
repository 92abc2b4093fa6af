import { randomBytes } from 'node:crypto'
import { connect as dial, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import * as terminals from '../../../db/paygo/terminals.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import type { GatewayConfig, Limits } from '../../../gateway/config.ts'
import type { TerminalConfig } from '../../../gateway/terminal/config.ts'
import type { Command, DeviceCodec, Heard, Presented, Saying, Totals } from '../../../protocol/terminal.ts'
import { deviceCodec, newFramer } from '../../../protocol/terminal-iso8583/index.ts'
import { gatewayOn, keysSecret } from '../stage.ts'

/** As in production, on a free port. */
export const terminalConfig: TerminalConfig = {
  port: 0,
  tls: null,
  acquirer: { ACQUIRER_SECONDS: 30, ACQUIRER_LATE_SECONDS: 35 },
  isPlainAllowed: false,
  heartbeatSeconds: 60,
  cardKey: 'C0'.repeat(32),
}

/** A running gateway that terminals may dial, its log kept, closed with the test. */
export const terminalGateway = (
  db: Db,
  terminal: Partial<TerminalConfig> = {},
  limits: Partial<Limits> = {},
  config: Partial<GatewayConfig> = {},
) => gatewayOn(db, limits, { terminal: { ...terminalConfig, ...terminal }, ...config })

/** What `terminalGateway` gives. */
export type Running = Awaited<ReturnType<typeof terminalGateway>>

let made = 0

/** A terminal of ours, whose code is new, and its key. */
export interface Registered {
  id: number
  code: string
  key: string
}

/** Registers a terminal. */
export async function newTerminal(db: Db): Promise<Registered> {
  made += 1
  const serial = `T${String(made).padStart(7, '0')}`
  const key = randomBytes(32).toString('hex')
  const about = { name: 'Касса', location: 'Зал', address: 'Москва', methods: ['nfc'] as const }
  const { id, terminalCode } = await db.transaction((tx) =>
    terminals.create(tx, null, { serial, key, ...about }, keysSecret),
  )
  return { id, code: terminalCode, key }
}

/** Another key for it, beside the one that it has. */
export async function secondKey(db: Db, { id }: Registered): Promise<string> {
  const key = randomBytes(32).toString('hex')
  await db.transaction((tx) => terminals.addKey(tx, null, { id, key }, keysSecret))
  return key
}

const two = (value: number) => String(value).padStart(2, '0')
/** Field 7 of now. */
export function now(): string {
  const at = new Date()
  const parts = [at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
  return parts.map(two).join('')
}

/** A message as it is told to a stage: what every message has is filled in. */
export type Said = { kind: Saying<Presented>['kind']; stan?: string; [more: string]: unknown }

/** A terminal's end of a line: it says and hears nothing by itself. */
export interface Line {
  socket: Socket
  codec: DeviceCodec
  /** Says a message, and returns it as it was said. */
  say(said: Said): Saying<Presented>
  write(bytes: Uint8Array): void
  /** The next thing that is heard, as bytes; null when the line is ended instead. */
  frame(): Promise<Buffer | null>
  /** The next thing that is heard. */
  hear(): Promise<Heard | Command>
  /** Says a message and hears the next thing. */
  ask(said: Said): Promise<Heard | Command>
  /** Resolves when the gateway has ended the line. */
  ended: Promise<void>
}

let stans = 0
/** A STAN nobody has used. */
export const newStan = () => String(++stans).padStart(6, '0')

/** Fills in what every message has. */
export const whole = ({ stan = newStan(), ...said }: Said, terminalCode: string) =>
  ({ sentAt: now(), stan, ...(said.kind === 'login' && { terminalCode }), ...said }) as Saying<Presented>

/** A connection of a terminal, over a real socket. */
export function lineTo(
  on: Running | number,
  { code, key }: Pick<Registered, 'code' | 'key'>,
  {
    tpdu,
    socket = dial({ port: typeof on === 'number' ? on : on.ports.terminal!, host: '127.0.0.1', noDelay: true }),
  }: {
    tpdu?: Buffer
    socket?: Socket
  } = {},
): Line {
  const codec = deviceCodec({ terminalCode: code, key, ...(tpdu && { tpdu }) })
  const framer = newFramer()
  const frames: (Buffer | null)[] = []
  const waiting: ((frame: Buffer | null) => void)[] = []
  const give = (frame: Buffer | null) => {
    const wanted = waiting.shift()
    if (wanted) wanted(frame)
    else frames.push(frame)
  }
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const over = () => {
    resolve()
    give(null)
  }
  socket.on('data', (chunk: Buffer) => {
    for (const frame of framer.push(chunk)) give(Buffer.from(frame))
  })
  socket.on('error', () => {})
  socket.once('end', over)
  socket.once('close', over)
  onTestFinished(() => void socket.destroy())
  const frame = async () =>
    frames.length > 0 ? frames.shift()! : await new Promise<Buffer | null>((wanted) => waiting.push(wanted))
  const hear = async () => {
    const heard = await frame()
    if (!heard) throw new Error('the gateway ended the line')
    return codec.decode(heard)
  }
  const say = (said: Said) => {
    const saying = whole(said, code)
    socket.write(codec.encode(saying))
    return saying
  }
  return {
    ...{ socket, codec, say, frame, hear, ended },
    write: (bytes) => void socket.write(bytes),
    ask: async (said) => {
      say(said)
      return await hear()
    },
  }
}

/** A line that is signed on. */
export async function signedOn(
  on: Running | number,
  terminal: Registered,
  options: Parameters<typeof lineTo>[2] = {},
): Promise<Line> {
  const line = lineTo(on, terminal, options)
  const heard = await line.ask({ kind: 'login' })
  if (!('code' in heard) || heard.code !== '00') throw new Error(`not signed on: ${JSON.stringify(heard)}`)
  return line
}

/** What the rows say of its connection. */
export const sessionOf = async (db: Db, { id }: Pick<Registered, 'id'>) =>
  (await db.sql`select node, epoch, dialect, heartbeat_seconds from device_sessions where device_id = ${id}`)[0]

/** Invented, and of a range that is kept for tests. */
export const pan = '4242424242424242'
const track = `${pan}D29122010000000000`

/** A purchase of now; what is named is changed. */
export function sale(changes: Partial<Said> = {}): Said {
  const [sentAt, stan] = [now(), newStan()]
  const clock = { localTime: sentAt.slice(4), localDate: sentAt.slice(0, 4) }
  const read = { entryMode: '051', condition: '00', card: { track2: track }, merchant: 'VOLTBAY' }
  return { kind: 'purchase', stan, sentAt, amountMinor: 15_000, ...clock, ...read, ...changes }
}

/** What takes a sale back, or releases it. */
export const reversalOf = ({ kind, stan, sentAt, amountMinor }: Said, changes: Partial<Said> = {}): Said => ({
  kind: 'reversal',
  amountMinor,
  reason: '68',
  original: { mti: kind === 'authorisation' ? '0100' : '0200', stan, sentAt },
  ...changes,
})

/** Figures of a batch; what is not named is zero. */
export const figures = (named: Partial<Totals> = {}): Totals => ({
  ...{ credits: 0, creditsReversed: 0, debits: 0, debitsReversed: 0 },
  ...{ creditsMinor: 0, creditsReversedMinor: 0, debitsMinor: 0, debitsReversedMinor: 0 },
  ...named,
})
