import type { DeviceKind } from '../db/devices/words.ts'
import type { AnyCommand, AnyReport, AnyVerdict, Codec, Secrets } from '../protocol/any-device.ts'
import { type Connection, finish } from './connection.ts'
import type { DeviceHandlers } from './device-handlers.ts'

/** The codec of any kind of device: what it decodes is what it is given back. */
export type AnyCodec = Codec<AnyReport, AnyCommand, AnyVerdict>

/** A device that commands are brought to. */
export interface Addressee {
  deviceId: number
  /** What it calls itself. */
  serial: string
  handlers: DeviceHandlers
  codec: AnyCodec
  /** The number of this connection among all the device ever had; the newest owns it. */
  epoch: number
  heartbeatSeconds: number
  /** The movement under way, and the node's clock when its answer is overdue. One at a time. */
  movement: { commandId: number; until: number } | null
}

/** A device that is logged in here. */
export interface Session extends Addressee {
  connection: Connection
  /** The node's clock at the last frame. */
  heardAt: number
  /** The node's clock when it and its keys were last looked up. */
  identifiedAt: number
  /** The keys its frames may be signed with, as of then, and what makes a codec of newer ones; null: it signs nothing. */
  keys: readonly string[]
  bind: ((secrets: Secrets) => AnyCodec) | null
  /** The look-up under way, if one is. */
  looking: Promise<void> | null
  /** Something changed since the last look-up began. */
  isDoubtful: boolean
  /** CRC of a signed login; 0: none. The same bytes from elsewhere are a recording (docs/protocol.md 2.4: no replay protection). */
  loginPrint: number
}

/** Who is connected here. The rows say who is connected where; this only says where its bytes go. */
export interface Sessions {
  get(deviceId: number): Session | undefined
  /**
   * Adds a session whose login has been committed. The newest connection wins: an older one here is told to finish;
   * a newer one here makes this one finish.
   */
  register(session: Session): void
  remove(session: Session): void
  all(): IterableIterator<Session>
  /** All of them, or those of one kind. */
  count(kind?: DeviceKind): number
}

export function sessions(): Sessions {
  const byDevice = new Map<number, Session>()
  return {
    get: (deviceId) => byDevice.get(deviceId),
    register(session) {
      const other = byDevice.get(session.deviceId)
      if (other && other.epoch > session.epoch) return finish(session.connection, 'superseded')
      byDevice.set(session.deviceId, session)
      if (other && other.connection !== session.connection) finish(other.connection, 'superseded')
    },
    remove(session) {
      if (byDevice.get(session.deviceId) === session) byDevice.delete(session.deviceId)
    },
    all: () => byDevice.values(),
    count: (kind) =>
      kind === undefined
        ? byDevice.size
        : [...byDevice.values()].filter(({ handlers }) => handlers.kind === kind).length,
  }
}
