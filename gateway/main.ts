import type { Registry } from 'prom-client'
import { z } from 'zod'
import {
  cardKey,
  databaseRule,
  databaseSettings,
  describeSettings,
  readSettings,
  secret,
  startOrExit,
} from '../db/platform/config.ts'
import { flagsOf } from '../db/platform/flags.ts'
import { jsonLog } from '../db/platform/log.ts'
import { within } from '../db/platform/patience.ts'
import { endOnSignals } from '../db/platform/signals.ts'
import { COMMAND_CHANNEL, DEVICE_CHANNEL } from '../db/postgres/channels.ts'
import { open as openDatabase } from '../db/postgres/open.ts'
import { tcpCabinet } from './cabinet/tcp-login.ts'
import { type GatewayConfig, gatewayConfig, gatewayRules, gatewaySettings } from './config.ts'
import { connectionGuard } from './connection-guard.ts'
import { type MetricsServer, type More, serveMetrics } from './http.ts'
import { doubt, lookAgain } from './identity-check.ts'
import { type Listener, listen } from './listeners.ts'
import { type BootstrapListener, listenBootstrap } from './mqtt/bootstrap.ts'
import { listenMqtt, type MqttListeners } from './mqtt/mqtt-listeners.ts'
import { brokerHooks } from './mqtt-cluster/broker-hooks.ts'
import { type Cluster, joinCluster } from './mqtt-cluster/membership.ts'
import { type GatewayNode, type NodeParts, newName, newNode } from './node.ts'
import { shutDown } from './shutdown.ts'
import { serve } from './tcp/tcp-frames.ts'
import type { MqttTerminals } from './terminal/mqtt-login.ts'
import { listenTerminals, terminals } from './terminal/terminal-listener.ts'
import type { Till } from './terminal/till.ts'
import { startTimers } from './timers.ts'

/** A running gateway. */
export interface Gateway {
  /** `calls`: where MQTT cabinets ask for the broker. */
  ports: Record<'cabinet' | 'metrics', number> &
    Record<'cabinetTls' | 'terminal' | 'terminalTls' | 'calls', number | null> & {
      [Door in keyof MqttListeners['ports']]: number | null
    }
  node: GatewayNode
  /** Its part in a broker that is not ours; null: the broker is embedded. */
  cluster: Cluster | null
  /** Where it counts; a process that serves more adds its own. */
  registry: Registry
  /** Stops accepting, finishes the reports in hand, gives the cabinets back, closes. */
  close(): Promise<void>
}

/** What it needs; `name` and `kinds` are ours where nobody says otherwise. */
type GatewayOptions = Omit<NodeParts, 'name' | 'kinds'> & Partial<NodeParts>

/** Whoever watches waits five seconds at most. */
const pingMsMax = 3_500
const noBroker = { mqtt: null, mqttWs: null, mqttTls: null }

/** Listens to the bells. Where one may have been missed, all that it could have said is looked at. */
async function hear(node: GatewayNode): Promise<() => Promise<void>> {
  const unlisten = await Promise.all([
    node.db.listen(COMMAND_CHANNEL, (deviceId) => node.dispatcher.ring(Number(deviceId)), node.dispatcher.ringAll),
    node.db.listen(
      DEVICE_CHANNEL,
      (deviceId) => {
        const session = node.sessions.get(Number(deviceId))
        if (session) void lookAgain(session)
      },
      () => {
        for (const session of node.sessions.all()) doubt(session)
      },
    ),
  ])
  return async () => void (await Promise.all(unlisten.map((stop) => stop())))
}

/** What is open of a gateway that is being started or runs. */
interface Open {
  node: GatewayNode
  deafen(): Promise<void>
  stopTimers(): Promise<void>
  metrics?: MetricsServer
  broker?: MqttListeners
  cluster?: Cluster
  calls?: BootstrapListener
  tcp?: Listener
  terminals?: Listener
  till?: Till | undefined
  /** How terminals come in by a broker. */
  byBroker: MqttTerminals | null
}

/** Closes what is open, in the order in which nothing is lost. */
async function shut({
  node,
  deafen,
  stopTimers,
  metrics,
  broker,
  cluster,
  calls,
  tcp,
  terminals,
  till,
}: Open): Promise<void> {
  tcp?.close()
  terminals?.close()
  broker?.close()
  await calls?.close()
  await cluster?.close()
  await deafen()
  await stopTimers()
  await shutDown(node)
  await till?.close()
  await broker?.end()
  node.metrics.close()
  await metrics?.close()
}

/** Opens all ports, one after the other. @throws the system's error when a port is taken */
async function openPorts(open: Open, config: GatewayConfig): Promise<Gateway['ports']> {
  const { node } = open
  const { host, reusePort, cabinetPort: port, tls } = config
  const health = async () => ({
    node: node.name,
    // The clock hears of a frozen one only when its statement's time is over.
    database: node.isDatabaseThere && (await within(pingMsMax, node.db.ping()).catch(() => false)),
    cabinets: node.sessions.count('cabinet'),
    terminals: node.sessions.count('terminal'),
  })
  let more: More = async () => false
  open.metrics = await serveMetrics({ host, port: config.metricsPort }, node.metrics.registry, health, (...asked) =>
    more(...asked),
  )
  const mayEnter = connectionGuard(node, config.allow)
  if (config.broker) {
    open.cluster = await joinCluster(node, config.broker, open.byBroker)
    more = brokerHooks(node, config.broker, open.cluster)
  } else if (config.mqtt)
    open.broker = await listenMqtt(node, config, config.mqtt, { mayEnter, terminals: open.byBroker })
  const brokerPorts = open.broker?.ports ?? noBroker
  if (config.mqtt) open.calls = await listenBootstrap(node, config, config.mqtt, brokerPorts.mqtt ?? 0, mayEnter)
  const cabinets = tcpCabinet(node.rules)
  open.tcp = await listen(node, { host, reusePort, port, tls }, mayEnter, (socket, address) =>
    serve(node, cabinets, socket, address),
  )
  if (config.terminal) open.terminals = await listenTerminals(node, config, config.terminal)
  const { port: cabinet, tlsPort: cabinetTls } = open.tcp
  const { port: terminal = null, tlsPort: terminalTls = null } = open.terminals ?? {}
  const own = { cabinet, cabinetTls, terminal, terminalTls, metrics: open.metrics.port }
  return { ...own, calls: open.calls?.port ?? null, ...brokerPorts }
}

/**
 * Opens the devices' ports over a migrated database.
 * @throws RangeError | the system's error when a port is taken
 */
export async function startGateway({ name = newName(), ...parts }: GatewayOptions): Promise<Gateway> {
  const { config } = parts
  const ours = await terminals(parts)
  const kinds = [tcpCabinet(config.rules), ...(ours ? [ours.handlers] : [])]
  const node = newNode({ name, kinds, ...parts })
  const open: Open = {
    node,
    till: ours?.till,
    byBroker: ours?.mqtt ?? null,
    deafen: await hear(node),
    stopTimers: startTimers(node),
  }
  try {
    const ports = await openPorts(open, parts.config)
    const { cluster = null } = open
    return { ports, node, cluster, registry: node.metrics.registry, close: () => shut(open) }
  } catch (error) {
    await shut(open)
    throw error
  }
}

async function main() {
  const known = z.object({ ...databaseSettings, ...gatewaySettings })
  if (flagsOf().help) {
    process.stdout.write(`Settings of the gateway:\n${describeSettings(known).join('\n')}\n`)
    return
  }
  const { DATABASE_URL, DATA_DIR, ...settings } = await readSettings(known, [
    databaseRule('KEYS_SECRET'),
    ...gatewayRules,
  ])
  const log = jsonLog()
  const ending = endOnSignals()
  const { db, embedded, stop } = await openDatabase({ databaseUrl: DATABASE_URL, dataDir: DATA_DIR, log })
  const keysSecret = secret('KEYS_SECRET', DATA_DIR, embedded)
  const gateway = await startGateway({
    config: gatewayConfig(settings, { keysSecret, cardKey: cardKey(keysSecret) }),
    db,
    log,
  }).catch(async (error) => {
    await stop()
    throw error
  })
  log('gateway.ready', gateway.ports)
  ending.by(async (signal) => {
    log('gateway.stopping', { signal })
    await gateway.close()
    await stop()
  })
}

if (import.meta.main) await startOrExit(main)
