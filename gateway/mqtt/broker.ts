import type { Duplex } from 'node:stream'
import {
  Aedes,
  type AedesOptions,
  type AuthenticateError,
  type Client,
  type ConnectPacket,
  type Subscription,
} from 'aedes'
import { isTerminalCode } from '../../db/paygo/terminals.ts'
import { login, mqttCabinet } from '../cabinet/mqtt-login.ts'
import type { MqttConfig } from '../config.ts'
import { about, ending } from '../connection.ts'
import { count } from '../counts.ts'
import type { GatewayNode } from '../node.ts'
import { enter, type MqttTerminals } from '../terminal/mqtt-login.ts'
import { isWellMannered, markRepeats, withinGranted } from './conformance.ts'
import { deviceTopicOf } from './device-topics.ts'
import { drainTimeoutMs, type MqttConnection, newMqttConnection } from './mqtt-connection.ts'
import { heard, isOf } from './published.ts'

/** QoS 2 messages of one device whose handshake is not finished; a cabinet sends one at a time. */
const inflightMax = 16
/** Messages before CONNECT is answered; a device subscribes and tells what it holds. */
const queuedBeforeConnackMax = 42
/** One and a half of what CONNECT names (MQTT-3.1.2-24). */
const keepAliveMsPerSecond = 1_500
/** Ours have 6. */
const topicLevelsMax = 16
/** Client ids are ours, see `preConnect`. */
const clientIdCharsMax = 0xffff
/** A subscription that was not granted, in SUBACK (MQTT 3.1.1 3.9.3). */
const refused = 0x80
/** CONNACK return codes (MQTT 3.1.1 3.2.2.3). */
const [serverUnavailable, badCredential] = [3, 4]

/** The embedded broker. Not listening by itself: doors hand their streams to `serve`. */
interface Broker {
  serve(stream: Duplex, address: string): MqttConnection
  close(): Promise<void>
}

const refusal = (returnCode: number, message: string) =>
  Object.assign(new Error(message), { returnCode }) as AuthenticateError

/** Whose connection a client of the broker is. */
type ConnectionOf = (client: Client) => MqttConnection

/** What the broker asks us about its clients. */
function decisions(config: MqttConfig, terminals: MqttTerminals | null, connectionOf: ConnectionOf): AedesOptions {
  /** Unauthorised clients have a corner of their own, in tests only. */
  const isOpen = (topic: string) => config.openNamespace?.(topic) === true
  const isUnauthorised = (client: Client | null) =>
    config.openNamespace !== undefined && !!client && !connectionOf(client).owner
  return {
    preConnect(client, packet, callback) {
      if (!isWellMannered(client, packet)) return
      rewrite(packet, connectionOf(client), config)
      callback(null, true)
    },
    authenticate(client, username, password, done) {
      if (username === undefined && config.openNamespace !== undefined) return done(null, true)
      if (username === undefined || password === undefined) return done(refusal(badCredential, 'who?'), false)
      const connection = connectionOf(client)
      const shown = { username, password: Buffer.from(password) }
      const isTerminal = terminals !== null && isTerminalCode(username)
      ;(isTerminal ? enter(connection, shown, terminals) : login(connection, shown)).then(
        (isIn) => done(isIn ? null : refusal(badCredential, 'not let in'), isIn),
        (error) => {
          connection.node.counts.failures += 1
          connection.node.logSparingly('login.failed', { ...about(connection), error })
          done(refusal(serverUnavailable, 'not now'), false)
        },
      )
    },
    authorizePublish(client, packet, callback) {
      if (!client || (isUnauthorised(client) && isOpen(packet.topic))) return callback(null)
      heard(connectionOf(client), packet, callback)
    },
    authorizeSubscribe(client, subscription, callback) {
      const connection = connectionOf(client)
      const isAllowed = isUnauthorised(client) ? isOpen(subscription.topic) : isOwn(connection, subscription)
      if (!isAllowed) count(connection.node.counts.publishes, 'subscription_refused')
      callback(null, isAllowed ? subscription : null)
    },
    // What carries a client's id was published by one; ours go past this, to one client, without it.
    authorizeForward(client, packet) {
      if (isUnauthorised(client)) return withinGranted(client, packet)
      return (packet as { clientId?: string }).clientId === undefined ? packet : null
    },
  }
}

/**
 * aedes with our own mind: it speaks MQTT, we decide. What a device publishes is heard by us and routed to nobody, what we
 * tell goes to one device; so nothing is retained, queued or stored for devices, and the database is all there is to lose.
 */
export async function startBroker(
  node: GatewayNode,
  config: MqttConfig,
  terminals: MqttTerminals | null = null,
): Promise<Broker> {
  const connections = new WeakMap<object, MqttConnection>()
  const connectionOf: ConnectionOf = (client) => connections.get(client.conn)!
  const aedes = new Aedes({
    connectTimeout: node.limits.loginDeadlineMs,
    drainTimeout: drainTimeoutMs,
    maxInflightInbound: inflightMax,
    queueLimit: queuedBeforeConnackMax,
    maxTopicLevels: topicLevelsMax,
    maxClientsIdLength: clientIdCharsMax,
    ...decisions(config, terminals, connectionOf),
  })
  const handlers = mqttCabinet(node.rules)
  await aedes.listen()
  // Nothing is kept for devices.
  if (config.openNamespace !== undefined) markRepeats(aedes)
  watchClients(node, aedes, connectionOf)
  return {
    serve(stream, address) {
      const connection = newMqttConnection(node, handlers, config, stream, address)
      connections.set(stream, connection)
      connection.client = aedes.handle(stream)
      return connection
    },
    close: () => new Promise((resolve) => aedes.close(resolve)),
  }
}

/** Has a CONNECT say what we want of it, before the broker looks at it. */
function rewrite(packet: ConnectPacket, connection: MqttConnection, { openNamespace }: MqttConfig): void {
  if (packet.username === undefined && openNamespace !== undefined) return
  // Nothing waits for a device that is away, and nothing is said in its name when it dies.
  packet.clean = true
  delete packet.will
  if (packet.username === undefined) return
  // Somebody with another device's client id would end that device's connection (MQTT 3.1.4-2); names are checked.
  packet.clientId = packet.username
  // Watched by us, for the broker does not hear all of it.
  connection.keepAliveMs = (packet.keepalive ?? 0) * keepAliveMsPerSecond
  packet.keepalive = 0
}

/** What aedes tells about its clients. */
function watchClients(node: GatewayNode, aedes: Aedes, connectionOf: ConnectionOf): void {
  aedes.on('subscribe', (subscriptions: Subscription[], client: Client) => {
    const connection = connectionOf(client)
    if (!connection.owner) return
    for (const { topic, qos } of subscriptions) {
      const about = deviceTopicOf(topic)
      if (!about || (qos as number) === refused) continue
      connection.granted[about.channel] = qos
      if (about.channel === 'get' && connection.session) node.dispatcher.ring(connection.session.deviceId)
    }
  })
  aedes.on('unsubscribe', (topics: string[], client: Client) => {
    for (const topic of topics) {
      const about = deviceTopicOf(topic)
      if (about) connectionOf(client).granted[about.channel] = null
    }
  })
  const failed = (client: Client, error: Error & { code?: string }) => {
    const connection = connectionOf(client)
    if (connection.ending === null) ending(connection, reasonOf(error))
  }
  aedes.on('clientError', failed)
  aedes.on('connectionError', failed)
  // Only its own bookkeeping can fail here, and it has nothing of ours.
  ;(aedes as NodeJS.EventEmitter).on('error', (error) => node.log('broker.failed', { error }))
}

const reasons: [RegExp, string][] = [
  [/^keep alive timeout/, 'silent'],
  [/^connect did not arrive/, 'no_login'],
  [/^drain timeout/, 'reads_too_slowly'],
  [/limit reached|exceeded/, 'too_fast'],
]
const reasonOf = ({ code, message }: Error & { code?: string }) =>
  reasons.find(([shape]) => shape.test(message))?.[1] ?? code?.toLowerCase() ?? 'broken_stream'

/** A device hears its own commands and its own heartbeat, and nothing else; no wildcard and no `$share` is one of these. */
const isOwn = (connection: MqttConnection, { topic }: Subscription) => isOf(connection, topic, 'update')
