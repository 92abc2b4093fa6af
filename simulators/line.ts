/** The links of a simulated device, one after the other: what is alike on every wire. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'

/** How a device keeps its link. */
export interface LineSettings {
  /** From a closed link to the next dial; 5 unless told. */
  redialSeconds?: number
  /** From power-off to the next dial; 8 unless told. */
  bootSeconds?: number
}

/** Why a link ends, and how long until the next. */
interface Farewell {
  reason: string
  seconds?: number
}

/** Where a device is with its links. */
export interface Line {
  settings: LineSettings
  /** Where its links' ends are told. */
  journal: { add(happening: { event: 'closed'; reason: string }): void }
  /** False: this link is the only one there will ever be. */
  redials: boolean
  /** The link of now, undefined between two. */
  stream: Duplex | undefined
  /** Half-open links: ours no more, but open for whoever is on the other end. */
  forsaken: Duplex[]
  /** Between an accepted login and the end of the link. */
  online: boolean
  /** Nothing is written any more, until the next dial. */
  hushed: boolean
  /** Set when the link is about to end by our own doing. */
  farewell: Farewell | undefined
  /** Heartbeats without an answer. */
  unanswered: number
  heartbeats: NodeJS.Timeout | undefined
  redial: NodeJS.Timeout | undefined
  /** Aborted when the device is switched off for good. */
  end: AbortController
  wire: {
    /** Dials, by way of `begin`. */
    dial(): void
    /** Ends a link from our side. */
    hangUp(stream: Duplex): void
  }
}

/** A line before its first link. */
export const newLine = <J extends Line['journal']>(settings: LineSettings, journal: J, redials: boolean) => ({
  settings,
  journal,
  redials,
  stream: undefined,
  forsaken: [],
  online: false,
  hushed: false,
  farewell: undefined,
  unanswered: 0,
  heartbeats: undefined,
  redial: undefined,
  end: new AbortController(),
})

/** What went wrong with a link: its code where there is one, and of a dial that failed also whom it did not reach. */
export function reasonOf(error: Error): string {
  // An attempt on several addresses has one error for each; fetch has what happened as its cause.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ')
  if (error.cause instanceof Error) return reasonOf(error.cause)
  const {
    code,
    address,
    port,
    hostname,
  }: NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string } = error
  if (typeof code !== 'string') return error.message
  if (hostname !== undefined) return `${code} ${hostname}`
  return address === undefined ? code : `${code} ${address.includes(':') ? `[${address}]` : address}:${port}`
}

/** Takes what was dialled as the link of now. A dial that throws is a link that ended at once: undefined. */
export function begin<S extends Duplex>(line: Line, dial: () => S): S | undefined {
  let stream: S
  try {
    stream = dial()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    later(line, { reason: reasonOf(error) })
    return undefined
  }
  let reason = 'closed by the server'
  stream.on('error', (error) => {
    reason = reasonOf(error)
  })
  stream.once('close', () => {
    // A forsaken link may end whenever it likes.
    if (stream === line.stream) gone(line, line.farewell ?? { reason })
  })
  Object.assign(line, { stream, hushed: false, farewell: undefined, unanswered: 0 })
  return stream
}

function gone(line: Line, farewell: Farewell) {
  clearInterval(line.heartbeats)
  line.stream = undefined
  line.online = false
  line.farewell = undefined
  later(line, farewell)
}

/** There is no link: dials again in a while, unless that cannot be or the device is switched off. */
export function later(line: Line, { reason, seconds = line.settings.redialSeconds ?? 5 }: Farewell): void {
  line.journal.add({ event: 'closed', reason })
  if (line.redials && !line.end.signal.aborted) line.redial = setTimeout(line.wire.dial, seconds * 1000)
}

/** Ends the link, if there is one. @param seconds until the next one, that of the settings unless told */
export function hangUp(line: Line, reason: string, seconds?: number): void {
  line.farewell ??= { reason, ...(seconds !== undefined && { seconds }) }
  if (line.stream) line.wire.hangUp(line.stream)
}

/** Leaves the link as it is, deaf and dumb, and dials another. */
export function forsake(line: Line): void {
  if (!line.stream) return
  line.forsaken.push(line.stream)
  gone(line, { reason: 'half open', seconds: 0 })
}

/** The end of all links. */
export async function switchOff(line: Line): Promise<void> {
  line.end.abort()
  clearTimeout(line.redial)
  for (const stream of line.forsaken) stream.destroy()
  const { stream } = line
  hangUp(line, 'switched off')
  if (stream && !stream.closed) await once(stream, 'close')
}
