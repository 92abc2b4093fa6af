import type { Codec, Command, Greeting } from '../protocol/cabinet.ts'

/** What carries a session's bytes, whatever the transport. */
export interface Carrier {
  /**
   * Writes one frame; a cabinet that does not read is dropped instead of filling our memory. A broker carries each
   * `command` as it must be carried: movements never twice.
   */
  send(bytes: Buffer, command?: Command): void
  /** False once it is ending, for whatever reason, and while nobody listens at its other end. */
  isOpen(): boolean
  /** Takes nothing more, works off what was heard, then ends. `reason` as `noun_or_verb`, for logs and rows. */
  finish(reason: string): void
  /** Stops reading, until `goOn`, and resolves once nothing that was heard waits for the database. */
  settled(): Promise<void>
  goOn(): void
  /** Ends at once: what waits unheard was never acknowledged, so an honest cabinet says it again. */
  cut(reason: string): void
}

/** A cabinet that is logged in here. */
export interface Session {
  stationId: number
  boxId: string
  /** The number of this connection among all the cabinet ever had; the newest owns it. */
  epoch: number
  needsKey: boolean
  codec: Codec
  /** Makes a codec of newer keys. */
  bind: Greeting['codec']
  heartbeatSeconds: number
  /** The node's clock at the last frame. */
  heardAt: number
  /** The node's clock when the box id and keys were last looked up. */
  identifiedAt: number
  /** The keys its frames may be signed with, as of then. */
  keys: readonly string[]
  /** The look-up under way, if one is. */
  looking: Promise<void> | null
  /** Something changed since the last look-up began. */
  isDoubtful: boolean
  /** CRC of the login frame: the same bytes from elsewhere are a recording (docs/protocol.md 2.4: no replay protection). */
  loginPrint: number
  carrier: Carrier
  /** What its wire lacks; absent where it has a word and an answer for every command (TCP). */
  lacks?: {
    speaks(kind: Command['kind']): boolean
    isAnswered(kind: Command['kind']): boolean
  }
  /** Is it still let in? Absent where its box id and keys say so (TCP). */
  isWelcome?(): Promise<boolean>
}

/** Who is connected here. The rows say who is connected where; this only says where its bytes go. */
export interface Sessions {
  get(stationId: number): Session | undefined
  /**
   * Adds a session whose login has been committed. The newest connection wins: an older one here is told to finish;
   * a newer one here makes this one finish.
   */
  register(session: Session): void
  remove(session: Session): void
  all(): IterableIterator<Session>
  count(): number
}

export function sessions(): Sessions {
  const byStation = new Map<number, Session>()
  return {
    get: (stationId) => byStation.get(stationId),
    register(session) {
      const other = byStation.get(session.stationId)
      if (other && other.epoch > session.epoch) return session.carrier.finish('superseded')
      byStation.set(session.stationId, session)
      if (other && other.carrier !== session.carrier) other.carrier.finish('superseded')
    },
    remove(session) {
      if (byStation.get(session.stationId) === session) byStation.delete(session.stationId)
    },
    all: () => byStation.values(),
    count: () => byStation.size,
  }
}
