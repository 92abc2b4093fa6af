import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import type { Log } from '../../db/platform/log.ts'
import { within } from '../../db/platform/patience.ts'

const reconnectMs = 1_000
const connectTimeoutMs = 10_000
const keepAliveSeconds = 30
/** How long a message to ourselves may take before the broker is taken for one that shares nothing. */
const shareCheckMs = 5_000
/** Messages we have not acknowledged, at most (MQTT 5, 3.1.2.11.3); the broker keeps the others. */
const receiveMax = 1_000
const subscriptionRefused = 128
const idBytes = 8
/** A frame has 65,535 bytes, and its topic and properties have some; the broker drops what is longer (3.1.2.11.4). */
const packetBytesMax = 66_560
/**
 * How long the broker keeps what a node that keeps its name had not acknowledged when it died. Less than an old return is
 * known for one (db/powerbank/decide/returned.ts): said again later than that it would end the bank's next loan.
 */
const sessionSeconds = 600
/**
 * What the broker has kept from before we subscribed is an old picture, and an old return would end the bank's next loan:
 * not sent (MQTT 5, 3.8.3.1). Said of shared subscriptions too: Mosquitto 2.0.11 sends what it keeps to every member.
 */
const nothingRetained = 2
/** Mosquitto (2.0: max_queued_messages) and EMQX keep a thousand messages, throw the others away, and acknowledge all. */
const keptMax = 1_000
/** What comes within this after we are back was kept for us. */
const replayMs = 10_000
/** Marks our own heartbeats: another node of the group may hear them, and must not answer again. */
const echoMark = 'voltbay-echo'

/** The broker of somebody else, and how we show ourselves to it. */
export interface BrokerAccess {
  url: string
  username: string | null
  password: string | null
  /** Kept by the operator from start to start; null: a new one each time, and no memory at the broker. */
  clientId: string | null
  /** Nodes of one group split the load. */
  shareGroup: string
}

/** A message as it came. */
export interface Incoming {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  /** It is a heartbeat that a node of ours has sent back. */
  isEcho: boolean
  /** It was said before we subscribed; nobody can tell when. */
  isRetained: boolean
  /** Tells the broker that it need not keep this any longer, once all before it are done with. Said once. */
  acknowledge(): void
}

/** Our connection to the broker, which it makes again whenever it is lost. */
export interface BrokerClient {
  isOpen(): boolean
  /** True when the broker brings each message to one node of the group; null as long as that is not known. */
  isShared(): boolean | null
  publish(topic: string, payload: Buffer, options: { qos: 0 | 1; isEcho?: boolean }): void
  /** Hears nothing new; what was heard may still be acknowledged. */
  deafen(): Promise<void>
  close(): Promise<void>
}

interface BrokerClientOptions {
  access: BrokerAccess
  /** After being away for longer nobody knows what was kept. */
  awayMsMax: number
  filters: readonly string[]
  log: Log
  onMessage(message: Incoming): void
  /**
   * It has subscribed, for the first time or again.
   * @param isKept the broker has kept for us what was said meanwhile; else it has told those who said it that all is well
   */
  onReady(isKept: boolean): void
  /** The broker has kept so much for us that it may have thrown some of it away. */
  onFlood(): void
}

const shared = (group: string, filter: string) => `$share/${group}/${filter}`

/** Subscribes on every connection that `client` makes, after a look whether the broker shares. */
function subscriptions(client: MqttClient, id: string, options: BrokerClientOptions) {
  const { access, awayMsMax, filters, log, onReady } = options
  const helloTopic = `voltbay/${id}/hello`
  const state = {
    isShared: null as boolean | null,
    isReady: false,
    wasReady: false,
    onHello: () => {},
    awayAt: performance.now(),
    backAt: 0,
    replayed: 0,
  }
  const wanted = () => filters.map((filter) => (state.isShared ? shared(access.shareGroup, filter) : filter))

  async function subscribe(stream: MqttClient['stream'], isKept: boolean) {
    const isSharing = await sharesWithUs(client, access.shareGroup, helloTopic, (heard) => {
      state.onHello = heard
    })
    if (client.stream !== stream) return
    state.isShared = isSharing
    if (!isSharing) log('broker.shares_nothing', { message: 'every gateway node hears everything: run one' })
    const granted = await client.subscribeAsync(wanted(), { qos: 1, rh: nothingRetained })
    if (granted.some(({ qos }) => qos === subscriptionRefused)) throw new Error('the broker refused a subscription')
    log('broker.subscribed', { shared: isSharing })
    state.isReady = true
    onReady(isKept && state.wasReady && state.backAt - state.awayAt < awayMsMax)
    // A node that says goodbye takes its subscriptions back, so what was kept from before it began is not all.
    state.wasReady = true
  }

  client.on('connect', ({ sessionPresent }) => {
    const { stream } = client
    state.backAt = performance.now()
    state.replayed = 0
    // Or each acknowledgement waits for the one before (Nagle against delayed acknowledgements).
    ;(stream as Partial<Socket>).setNoDelay?.(true)
    subscribe(stream, sessionPresent).catch((error) => {
      if (client.stream !== stream || client.disconnecting) return
      log('broker.not_subscribed', { error })
      stream.destroy()
    })
  })
  client.on('close', () => {
    if (state.isReady) state.awayAt = performance.now()
    state.isShared = null
    state.isReady = false
  })
  return { state, wanted, helloTopic }
}

/** Opens a connection and keeps it. Resolves at once: a broker that is away is dialled until it is there. */
export function brokerClient(options: BrokerClientOptions): BrokerClient {
  const { access, log, onMessage, onFlood } = options
  const id = access.clientId ?? `voltbay-${randomBytes(idBytes).toString('hex')}`
  const client = mqtt.connect(access.url, optionsOf(access, id))
  const { state, wanted, helloTopic } = subscriptions(client, id, options)
  let acks: Acknowledgements | null = null
  reportTrouble(client, log)
  client.handleMessage = (packet, done) => {
    if (packet.topic === helloTopic) {
      state.onHello()
      return done()
    }
    if (acks?.stream !== client.stream) acks = acknowledgements(client)
    if (performance.now() - state.backAt < replayMs && ++state.replayed === keptMax) onFlood()
    onMessage(incoming(packet, acks))
    // For mqtt.js a failed message is one it does not acknowledge, and it goes on with the next: we do, after the commit.
    done(packet.qos === 0 ? undefined : new Error('acknowledged later'))
  }
  return {
    isOpen: () => client.connected && state.isReady,
    isShared: () => state.isShared,
    publish(topic, payload, { qos, isEcho = false }) {
      const properties = isEcho && { properties: { userProperties: { [echoMark]: '1' } } }
      client.publish(topic, payload, { qos, retain: false, ...properties }, (error) => {
        if (error) log('publish.failed', { topic, error })
      })
    },
    async deafen() {
      if (!client.connected) return
      // A broker that goes away at this moment has nothing more to tell us either.
      await client.unsubscribeAsync(wanted()).catch((error) => log('broker.not_unsubscribed', { error }))
    },
    close: () => client.endAsync(!client.connected),
  }
}

const optionsOf = ({ clientId, username, password }: BrokerAccess, id: string): IClientOptions => ({
  clientId: id,
  // No share, no mark on a message and no bound on what is under way before MQTT 5.
  protocolVersion: 5,
  clean: clientId === null,
  keepalive: keepAliveSeconds,
  reconnectPeriod: reconnectMs,
  reconnectOnConnackError: true,
  connectTimeout: connectTimeoutMs,
  resubscribe: false,
  // A command that cannot leave now stays in its row.
  queueQoSZero: false,
  properties: {
    receiveMaximum: receiveMax,
    maximumPacketSize: packetBytesMax,
    sessionExpiryInterval: clientId === null ? 0 : sessionSeconds,
  },
  ...(username !== null && { username }),
  ...(password !== null && { password }),
})

/**
 * Does the broker bring shared messages to us? Some accept `$share/…` and deliver nothing (aedes 1.2.0), so we say
 * something to ourselves by that way.
 */
async function sharesWithUs(
  client: MqttClient,
  group: string,
  topic: string,
  hear: (heard: () => void) => void,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>()
  hear(resolve)
  try {
    const [granted] = await client.subscribeAsync(shared(group, topic), { qos: 0, rh: nothingRetained })
    if (!granted || granted.qos === subscriptionRefused) return false
    client.publish(topic, 'hello', { qos: 0 })
    return await within(shareCheckMs, promise)
  } finally {
    if (client.connected) client.unsubscribe(shared(group, topic))
  }
}

/** One line when the broker goes, one when it is back; a refusal is told once, with its reason. */
function reportTrouble(client: MqttClient, log: Log): void {
  let isAway = false
  let told = ''
  const away = (error?: Error) => {
    if (isAway && (!error || told === error.message)) return
    isAway = true
    told = error?.message ?? told
    if (!client.disconnecting) log('broker.away', { error })
  }
  client.on('error', away)
  client.on('offline', () => away())
  client.on('connect', () => {
    if (isAway) log('broker.back')
    isAway = false
    told = ''
  })
}

const puback = (messageId: number) => Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff])

/** One connection's acknowledgements: they leave in the order the messages came (MQTT-4.6.0-2), whichever is stored first. */
function acknowledgements(client: MqttClient) {
  const owed: { messageId: number; isDone: boolean }[] = []
  const { stream } = client
  return {
    stream,
    /** @returns what says that this message is done with */
    owe(messageId: number): () => void {
      const debt = { messageId, isDone: false }
      owed.push(debt)
      return () => {
        debt.isDone = true
        // On another connection this number means another message.
        if (client.stream !== stream || !client.connected) return
        while (owed[0]?.isDone) stream.write(puback(owed.shift()!.messageId))
      }
    },
  }
}

type Acknowledgements = ReturnType<typeof acknowledgements>

function incoming(
  { topic, payload, qos, retain, messageId, properties }: IPublishPacket,
  acks: Acknowledgements,
): Incoming {
  return {
    topic,
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(payload),
    qos,
    isEcho: properties?.userProperties?.[echoMark] !== undefined,
    isRetained: retain,
    acknowledge: qos === 0 ? () => {} : acks.owe(messageId!),
  }
}
