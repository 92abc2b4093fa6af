import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import type { Presented, Saying } from '../../protocol/terminal.ts'
import { deviceCodec, newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { serve } from './child.ts'

/** Whom the lines lead to: the gateway, or a server that says back what it hears. */
type Side = 'ours' | 'echo'

/** A terminal as it is registered. */
export interface BenchTerminal {
  code: string
  key: string
}

interface Line {
  codec: ReturnType<typeof deviceCodec>
  socket: Socket
  stan: number
  /** Its echo request, and what both times answers it. */
  beat: Buffer
  answer: Buffer | undefined
  heard: (frame: Buffer) => void
}

const nanosecondsPerMillisecond = 1e6
/** Invented, and of a range that is kept for tests. */
const card = { track2: '4242424242424242D29122010000000000' }
const lines: Record<Side, Line[]> = { ours: [], echo: [] }
const latency = createHistogram()

const two = (value: number) => String(value).padStart(2, '0')
function now(): string {
  const at = new Date()
  const parts = [at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
  return parts.map(two).join('')
}
const spoken = (line: { stan: number }) => ({ sentAt: now(), stan: String(++line.stan).padStart(6, '0') })

/** Says it, and resolves with the next frame; one thing is under way on a line at a time. */
const ask = (line: Line, bytes: Buffer) =>
  new Promise<Buffer>((resolve) => {
    line.heard = resolve
    line.socket.write(bytes)
  })

/** @throws Error it was not approved */
function assertApproved(line: Line, frame: Buffer): void {
  const heard = line.codec.decode(frame)
  if (!('code' in heard) || heard.code !== '00') throw new Error(`not approved: ${JSON.stringify(heard)}`)
}

async function dial(side: Side, port: number, { code, key }: BenchTerminal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ host: '127.0.0.1', port, noDelay: true }, resolve)
  socket.once('error', reject)
  const codec = deviceCodec({ terminalCode: code, key })
  const framer = newFramer()
  const beat = codec.encode({ kind: 'heartbeat', sentAt: now(), stan: '999999' })
  const line: Line = { codec, socket, stan: 0, beat, answer: undefined, heard: () => {} }
  socket.on('data', (chunk) => {
    for (const frame of framer.push(chunk)) line.heard(Buffer.from(frame))
  })
  await promise
  if (side === 'ours') {
    assertApproved(line, await ask(line, codec.encode({ kind: 'login', terminalCode: code, ...spoken(line) })))
    line.answer = await ask(line, beat)
    assertApproved(line, line.answer)
  } else line.answer = beat
  lines[side].push(line)
}

/** Both sides answer the same bytes with the same bytes each time, so that listening costs alike. */
async function beatOnce(line: Line): Promise<void> {
  if (!(await ask(line, line.beat)).equals(line.answer!)) throw new Error('an echo was answered otherwise')
}

async function buyOnce(line: Line): Promise<void> {
  const about = spoken(line)
  const clock = { localTime: about.sentAt.slice(4), localDate: about.sentAt.slice(0, 4) }
  const read = { entryMode: '051', condition: '00', card, merchant: 'VOLTBAY' }
  const sale: Saying<Presented> = { kind: 'purchase', amountMinor: 15_000, ...about, ...clock, ...read }
  assertApproved(line, await ask(line, line.codec.encode(sale)))
}

const acts = { beat: beatOnce, buy: buyOnce }

const skills = {
  /** Dials until there are as many lines as terminals, signed on where that is to be done. */
  async dial({ side, port, terminals }: { side: Side; port: number; terminals: readonly BenchTerminal[] }) {
    await Promise.all(terminals.slice(lines[side].length).map((terminal) => dial(side, port, terminal)))
  },
  /** The first `count` lines of a side, each with one message under way, for so long. Milliseconds. */
  async run({ side, what, count, ms }: { side: Side; what: keyof typeof acts; count: number; ms: number }) {
    const from = performance.now()
    let done = 0
    latency.reset()
    const client = async (line: Line) => {
      for (let said = from; said - from < ms; done++) {
        await acts[what](line)
        const heard = performance.now()
        latency.record(Math.max(1, Math.round((heard - said) * nanosecondsPerMillisecond)))
        said = heard
      }
    }
    await Promise.all(lines[side].slice(0, count).map(client))
    const at = (percent: number) => latency.percentile(percent) / nanosecondsPerMillisecond
    return { perSecond: (done * 1_000) / (performance.now() - from), done, p50: at(50), p99: at(99) }
  },
  /** How many lines are open still. */
  open: () => lines.ours.filter(({ socket }) => !socket.destroyed).length,
}

/** For `start`. */
export type TerminalsChild = typeof skills

serve(skills)
