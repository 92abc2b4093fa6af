import type { Socket } from 'node:net'
import { MqttClient } from 'mqtt'

const keepaliveSeconds = 120
const connackMilliseconds = 30_000

/** Who a device is to its broker. */
export interface BrokerName {
  clientId: string
  username: string
  password: string
  /** Has the broker remember what was published while it was away. False unless told. */
  isPersistent?: boolean | undefined
}

/** A device's client on one link, for one life: what is said again, and when, is the firmware's to decide. */
export const clientOn = (socket: Socket, { clientId, username, password, isPersistent }: BrokerName): MqttClient =>
  new MqttClient(() => socket, {
    protocolVersion: 4,
    clientId,
    username,
    password,
    clean: !isPersistent,
    keepalive: keepaliveSeconds,
    connectTimeout: connackMilliseconds,
    reconnectPeriod: 0,
    resubscribe: false,
  })

/** Ends a link after what was written on it. */
export function endAfterWrites(socket: Socket): void {
  // mqtt.js holds back what it writes until the end of the turn.
  setImmediate(() => (socket.connecting ? socket.destroy() : socket.destroySoon()))
}

/** A client does nothing more for a link that is about to be forsaken. */
export function deafen(
  client: MqttClient | undefined,
  stream: { unpipe(): unknown; pause(): unknown } | undefined,
): void {
  client?.keepaliveManager?.destroy()
  stream?.unpipe()
  stream?.pause()
}
