import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { onTestFinished } from 'vitest'
import { BrokenStream } from '../../protocol/errors.ts'
import type { Codec, Command, Report, Verdict } from '../../protocol/terminal.ts'
import { greet, newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { dialer } from '../../simulators/dial.ts'
import { mqttTerminal } from '../../simulators/terminal/terminal-mqtt.ts'
import { play, readScript } from '../../simulators/terminal/terminal-script.ts'
import { type TerminalSettings, terminal } from '../../simulators/terminal/terminal-tcp.ts'
import { cardKey, entropy, key, terminalCode } from '../protocol/terminal-stage.ts'

/** The host's half of the protocol and nothing behind it. */
export interface Host {
  port: number
  /** All that was said, in words. */
  heard: Report[]
  /** The same as it came: frames, or payloads. */
  frames: Buffer[]
  tell(command: Command): void
  /** The next report of that kind; each is given once. */
  next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>>
}

/** What is said back; nothing: `accepted`. */
type Answers = (report: Report) => Verdict | null | undefined

/** Reports that were not asked for yet, and who waits for what is to come. */
function inbox() {
  const fresh: Report[] = []
  const waiting: { kind: string; resolve(report: Report): void }[] = []
  return {
    add(report: Report) {
      const at = waiting.findIndex(({ kind }) => kind === report.kind)
      if (at >= 0) waiting.splice(at, 1)[0]?.resolve(report)
      else fresh.push(report)
    },
    next(kind: string): Promise<Report> {
      const at = fresh.findIndex((report) => report.kind === kind)
      if (at >= 0) return Promise.resolve(fresh.splice(at, 1)[0]!)
      return new Promise((resolve) => waiting.push({ kind, resolve }))
    },
  }
}

/** What both wires have in common: words in, words out. */
function desk(answers: Answers, carrier: 'tcp' | 'mqtt') {
  const heard: Report[] = []
  const frames: Buffer[] = []
  const { add, next } = inbox()
  let codec: Codec | undefined
  return {
    /** A message came; what is to be said back. */
    take(frame: Buffer): Buffer | null {
      frames.push(Buffer.from(frame))
      codec ??= greet(Buffer.from(frame), carrier).codec({ keys: [key], cardKey })
      const report = codec.decode(frame)
      heard.push(report)
      add(report)
      const verdict = answers(report)
      if (verdict === null || report.kind === 'result') return null
      return codec.answer(frame, verdict ?? { kind: 'answered', code: '00' }, entropy)
    },
    /** A line ended, or is about to begin. */
    forget() {
      codec = undefined
    },
    encode: (command: Command) => codec!.encode(command, { unixSeconds: 1_795_898_400, ttlSeconds: 60 }),
    said: { heard, frames, next: next as Host['next'] },
  }
}

/** A host over TCP. */
export async function tcpHost(answers: Answers = () => undefined): Promise<Host> {
  const { take, forget, encode, said } = desk(answers, 'tcp')
  let line: Socket | undefined
  const net = createServer((socket) => {
    line = socket
    forget()
    const framer = newFramer()
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of framer.push(chunk)) {
          const answer = take(frame)
          if (answer) socket.write(answer)
        }
      } catch (error) {
        if (!(error instanceof BrokenStream)) throw error
        socket.destroy()
      }
    })
  })
  await once(net.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void net.close())
  const { port } = net.address() as AddressInfo
  return { port, ...said, tell: (command) => void line?.write(encode(command)) }
}

/** A broker, and a host that speaks over it. */
export async function mqttHost(answers: Answers = () => undefined) {
  const { take, forget, encode, said } = desk(answers, 'mqtt')
  const broker = await Aedes.createBroker()
  const retained: boolean[] = []
  const down = (payload: Buffer) =>
    broker.publish(
      { cmd: 'publish', topic: `terminals/${terminalCode}/down`, payload, qos: 0, dup: false, retain: false },
      () => {},
    )
  broker.authenticate = (_, username, password, done) =>
    done(null, username === terminalCode && password?.toString() === key)
  broker.on('client', forget)
  broker.on('publish', ({ topic, payload, retain }, client) => {
    if (!client || topic !== `terminals/${terminalCode}/up`) return
    retained.push(retain)
    const answer = take(Buffer.from(payload))
    if (answer) down(answer)
  })
  const net = createServer((socket) => void broker.handle(socket))
  await once(net.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    net.close()
    broker.close()
  })
  const { port } = net.address() as AddressInfo
  return { port, ...said, retained, tell: (command: Command) => down(encode(command)) }
}

/** A terminal that dials a host, quick to dial and to say again. */
export function at(
  { port }: Pick<Host, 'port'>,
  { isMqtt = false, ...change }: Partial<TerminalSettings> & { isMqtt?: boolean } = {},
) {
  const settings = {
    ...{ terminalCode, key, host: { host: '127.0.0.1', port }, stan: 0 },
    ...{ redialSeconds: 0.02, bootSeconds: 0.02, repeatSeconds: 0.1, ...change },
  }
  const one = isMqtt ? mqttTerminal(dialer(false), settings) : terminal(dialer(false), settings)
  onTestFinished(() => one.close())
  let seen = 0
  return {
    one,
    /** Goes on looking where it last ended. */
    async play(...lines: string[]) {
      seen = await play(one, readScript(lines.join('\n')), seen)
    },
  }
}
