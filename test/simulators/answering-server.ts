import { type Duplex, duplexPair } from 'node:stream'
import type { Codec, Command, Greeting, Report } from '../../protocol/cabinet.ts'
import { headerBytes } from '../../protocol/cabinet-tcp/frame.ts'
import { greet, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { type CabinetSettings, cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'

export const key = 'EXAMPLEKEY'
export const boxId = 'DCHEY02504000018'
/** The server's clock. */
export const unixSeconds = 1_790_000_000

/** The other end of one link: the server's half of the protocol and nothing behind it. */
export interface Server {
  stream: Duplex
  greeting: Greeting | undefined
  heard: Report[]
  /** The payloads that came in, in hex; unreadable ones too. */
  payloads: string[]
  /** How many frames each read brought. */
  reads: number[]
  malformed: string[]
  /** False: hears and says nothing. */
  answers: boolean
  tell(command: Command): void
  /** The first report of that kind, or failing that the next; each is given once. */
  next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>>
  /** Resolves with the message of the next frame that could not be read. */
  refusal(): Promise<string>
}

interface Waiting {
  kind: string
  resolve(report: Report): void
}

export function server(stream: Duplex, { keys = [key], accepts = true } = {}): Server {
  const framer = newFramer()
  const fresh: Report[] = []
  const waiting: Waiting[] = []
  const refused: ((message: string) => void)[] = []
  let codec: Codec | undefined

  function take(frame: Buffer) {
    self.greeting ??= greet(frame)
    codec ??= self.greeting.codec({ keys })
    const report = codec.decode(frame)
    self.heard.push(report)
    const kind = report.kind === 'login' && !accepts ? 'refused' : 'accepted'
    const answer = self.answers && codec.answer(frame, { kind }, { nonce: 7, unixSeconds })
    if (answer) stream.write(answer)
    const at = waiting.findIndex((one) => one.kind === report.kind)
    if (at >= 0) waiting.splice(at, 1)[0]?.resolve(report)
    else fresh.push(report)
  }

  const self: Server = {
    stream,
    greeting: undefined,
    heard: [],
    payloads: [],
    reads: [],
    malformed: [],
    answers: true,
    tell: (command) => void stream.write(codec?.encode(command) ?? ''),
    next: (kind) =>
      new Promise((resolve) => {
        const at = fresh.findIndex((report) => report.kind === kind)
        const [report] = at >= 0 ? fresh.splice(at, 1) : []
        if (report) resolve(report as never)
        else waiting.push({ kind, resolve: resolve as Waiting['resolve'] })
      }),
    refusal: () => new Promise((resolve) => refused.push(resolve)),
  }

  stream.on('error', () => stream.destroy())
  stream.on('end', () => stream.end())
  stream.on('data', (chunk: Buffer) => {
    const frames = [...framer.push(chunk)]
    self.reads.push(frames.length)
    for (const frame of frames) {
      self.payloads.push(frame.subarray(headerBytes).toString('hex').toUpperCase())
      try {
        take(frame)
      } catch (error) {
        if (!(error instanceof MalformedBody)) throw error
        self.malformed.push(error.message)
        refused.shift()?.(error.message)
      }
    }
  })
  return self
}

/** A cabinet of four slots with three banks in them, and the servers it has dialled so far. */
export function pair(settings: Partial<CabinetSettings> = {}, serverSettings: Parameters<typeof server>[1] = {}) {
  const servers: Server[] = []
  const dialled: ((server: Server) => void)[] = []
  const cab = cabinet(
    () => {
      const [device, far] = duplexPair()
      const one = server(far, serverSettings)
      servers.push(one)
      dialled.shift()?.(one)
      return device
    },
    { dialect: 'B', boxId, key, slots: 4, banks, redialSeconds: 0, bootSeconds: 0, ...settings },
  )
  /** The server the cabinet dials next. */
  const redialled = () => new Promise<Server>((resolve) => dialled.push(resolve))
  return { cab, servers, redialled, first: servers[0]! }
}

export const banks = ['4443484154000011', '4443484154000012', '4443484154000013']
export const stranger = '4443484154000099'
