import type { Codec, Command, Greeting } from '../protocol/cabinet.ts'
import { type Connection, finish } from './connection.ts'

/** A device that commands are brought to. */
export interface Addressee {
  stationId: number
  boxId: string
  /** The number of this connection among all the device ever had; the newest owns it. */
  epoch: number
  codec: Codec
  heartbeatSeconds: number
  /** What its wire lacks; absent where it has a word and an answer for every command (TCP). */
  lacks?: {
    speaks(kind: Command['kind']): boolean
    isAnswered(kind: Command['kind']): boolean
  }
}

/** A device that is logged in here. */
export interface Session extends Addressee {
  connection: Connection
  needsKey: boolean
  /** Makes a codec of newer keys. */
  bind: Greeting['codec']
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
      if (other && other.epoch > session.epoch) return finish(session.connection, 'superseded')
      byStation.set(session.stationId, session)
      if (other && other.connection !== session.connection) finish(other.connection, 'superseded')
    },
    remove(session) {
      if (byStation.get(session.stationId) === session) byStation.delete(session.stationId)
    },
    all: () => byStation.values(),
    count: () => byStation.size,
  }
}
