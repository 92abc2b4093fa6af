import { connect as dial, Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { onTestFailed, onTestFinished } from 'vitest'
import * as keys from '../../db/devices/keys.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { usualRules } from '../../db/powerbank/decide/snapshot.ts'
import { tcpCabinet } from '../../gateway/cabinet/tcp-login.ts'
import type { GatewayConfig, Limits } from '../../gateway/config.ts'
import type { DeviceHandlers } from '../../gateway/device-handlers.ts'
import { startGateway } from '../../gateway/main.ts'
import { serve } from '../../gateway/tcp/tcp-frames.ts'
import type { Acknowledgement, Bank, Command, DeviceCodec, Report } from '../../protocol/cabinet.ts'
import { deviceCodec, newFramer } from '../../protocol/cabinet-tcp/index.ts'

/** Opens the station keys of these tests. */
export const keysSecret = 'a secret that is only used in these tests'

/** As in production, but the clock ticks fast, so that deadlines of some ticks can be waited for. */
export const limits: Limits = {
  connectionsMax: 100,
  connectionsPerAddressMax: 50,
  loginDeadlineMs: 60_000,
  partialFrameDeadlineMs: 60_000,
  silentHeartbeats: 4,
  endDeadlineMs: 200,
  framesPerSecondMax: 1_000_000,
  framesWaitingMax: 32,
  malformedInARowMax: 5,
  writeBufferBytesMax: 262_144,
  reportsAtOnceMax: 3,
  quarantinePerMinuteMax: 100,
  unauthorisedLinesPerTickMax: 1_000,
  identifyAgainMs: 600_000,
  identifyAgainMsMin: 5_000,
  seenIntervalMs: 40,
  brokerAwayMsMax: 60_000,
  tickMs: 20,
}

/** A line of the log. */
export interface Line {
  event: string
  about: Record<string, any>
}

/** A running gateway on free ports, its log kept, closed with the test. */
export async function gatewayOn(
  db: Db,
  changes: Partial<Limits> = {},
  config: Partial<GatewayConfig> = {},
  kinds?: readonly DeviceHandlers[],
) {
  const lines: Line[] = []
  const gateway = await startGateway({
    config: {
      host: '127.0.0.1',
      cabinetPort: 0,
      tls: null,
      allow: [],
      reusePort: false,
      metricsPort: 0,
      mqtt: null,
      keysSecret,
      rules: usualRules,
      limits: { ...limits, ...changes },
      ...config,
    },
    db,
    log: (event, about = {}) => lines.push({ event, about }),
    ...(kinds && { kinds }),
  })
  onTestFinished(() => gateway.close())
  onTestFailed(
    () =>
      void console.error(
        new Set(lines.map(({ event, about }) => `${event} ${about.reason ?? ''} ${about.error ?? ''}`)),
      ),
  )
  return { ...gateway, lines, said: (event: string) => lines.filter((line) => line.event === event) }
}

let boxes = 0

/** A station and its keys, oldest first; its box id is new, its SIM was read just now. */
export async function station(db: Db, ...secrets: string[]): Promise<{ id: number; boxId: string }> {
  boxes += 1
  const boxId = `TEST${String(boxes).padStart(12, '0')}`
  const [row] = await db.sql<{ id: number }[]>`
    insert into stations (box_id, slots_declared, status, iccid, device_state)
    values (${boxId}, 8, 'active', '89701', jsonb_build_object('sim', jsonb_build_object('at', now()))) returning id`
  for (const value of secrets) await addKey(db, row!.id, value)
  return { id: row!.id, boxId }
}

export const addKey = (db: Db, stationId: number, value: string) =>
  db.transaction((tx) => keys.add(tx, { userId: 1 }, { deviceId: stationId, value }, keysSecret))

/** The far end of a connection, byte by byte. */
export interface Wire {
  stream: Duplex
  write(bytes: Uint8Array | string): void
  /** The next whole frame the gateway writes; null when it ends the connection instead. */
  frame(): Promise<Buffer | null>
  /** Resolves when the gateway has ended the connection. */
  ended: Promise<void>
}

function wire(stream: Duplex): Wire {
  const framer = newFramer()
  const frames: (Buffer | null)[] = []
  const waiting: ((frame: Buffer | null) => void)[] = []
  const give = (frame: Buffer | null) => {
    const wanted = waiting.shift()
    if (wanted) wanted(frame)
    else frames.push(frame)
  }
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  stream.on('data', (chunk: Buffer) => {
    for (const frame of framer.push(chunk)) give(Buffer.from(frame))
  })
  stream.on('error', () => {})
  const over = () => {
    resolve()
    give(null)
  }
  stream.once('end', () => {
    over()
    stream.end()
  })
  stream.once('close', over)
  // A stream in memory does not tell its other side that it was destroyed.
  onTestFinished(() => void (stream instanceof Socket ? stream.destroy() : stream.end()))
  return {
    stream,
    write: (bytes) => void stream.write(typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes),
    frame: async () => {
      if (frames.length > 0) return frames.shift() ?? null
      return new Promise((wanted) => waiting.push(wanted))
    },
    ended,
  }
}

type Running = Awaited<ReturnType<typeof gatewayOn>>

/** A connection over a real socket. */
export function socketTo(
  gateway: Running | number,
  options: { allowHalfOpen?: boolean } = {},
): Wire & { stream: Socket } {
  const port = typeof gateway === 'number' ? gateway : gateway.ports.cabinet
  const socket = dial({ port, host: '127.0.0.1', noDelay: true, ...options })
  return { ...wire(socket), stream: socket }
}

/** A connection in memory. */
export function pairTo({ node }: Running, address = '192.0.2.7'): Wire {
  const [near, far] = duplexPair()
  serve(node, tcpCabinet(node.rules), far, address)
  return wire(near)
}

/** A cabinet's voice on a wire. */
export interface Device extends Wire {
  codec: DeviceCodec
  say(report: Report): void
  /** What the gateway says next. */
  hear(): Promise<Command | Acknowledgement>
  /** The next thing of this kind; what comes in between is answered by nobody. */
  until(kind: string): Promise<Command | Acknowledgement>
}

/** A cabinet that says and hears nothing by itself. With a key it is TCP-B, else TCP-A. */
export function device(on: Wire, key?: string): Device {
  const codec = key === undefined ? deviceCodec('A') : deviceCodec('B', { key })
  const hear = async () => {
    const frame = await on.frame()
    if (!frame) throw new Error('the gateway ended the connection')
    return codec.decode(frame)
  }
  return {
    ...on,
    codec,
    say: (report) => on.write(codec.encode(report)),
    hear,
    async until(kind) {
      for (;;) {
        const heard = await hear()
        if (heard.kind === kind || (heard.kind === 'acknowledged' && heard.report === kind)) return heard
      }
    },
  }
}

/** A login that lists nothing (TCP-A has nothing to list it with). */
export const hello = (boxId: string, banks: Bank[] = []): Report => ({ kind: 'login', boxId, slots: 8, banks })

/** A bank of TCP-B as it sits in a slot. */
export const bank = (slot: number, bankId: string): Bank => ({
  slot,
  bankId,
  levelPercent: 90,
  millivolts: 4100,
  milliamps: 0,
  celsius: 27,
  sohPercent: 100,
})
