import type { Registry } from 'prom-client'
import { z } from 'zod'
import {
  databaseRule,
  databaseSettings,
  describeSettings,
  readSettings,
  secret,
  startOrExit,
} from '../db/platform/config.ts'
import { jsonLog, type Log } from '../db/platform/log.ts'
import { endOnSignals } from '../db/platform/signals.ts'
import { COMMAND_CHANNEL, DEVICE_CHANNEL } from '../db/postgres/channels.ts'
import type { Db } from '../db/postgres/connect.ts'
import { open } from '../db/postgres/open.ts'
import { doubt, lookAgain } from './cabinet/identity-check.ts'
import { type GatewayConfig, gatewayConfig, gatewayRules, gatewaySettings, type MqttConfig } from './config.ts'
import { connectionGuard, type MayEnter } from './connection-guard.ts'
import { type More, serveMetrics } from './http.ts'
import { listen } from './listeners.ts'
import { listenBootstrap } from './mqtt/bootstrap.ts'
import { listenMqtt, type MqttListeners } from './mqtt/mqtt-listeners.ts'
import { brokerHooks } from './mqtt-cluster/broker-hooks.ts'
import { type Cluster, joinCluster } from './mqtt-cluster/membership.ts'
import { type GatewayNode, newName, newNode } from './node.ts'
import { shutDown } from './shutdown.ts'
import { serve } from './tcp/tcp-frames.ts'
import { startTimers } from './timers.ts'

/** A running gateway. */
export interface Gateway {
  /** `calls`: where MQTT cabinets ask for the broker. */
  ports: { cabinet: number; cabinetTls: number | null; metrics: number; calls: number | null } & {
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

export interface GatewayOptions {
  config: GatewayConfig
  db: Db
  log: Log
  /** The name of this node in the rows; never one that was used before. */
  node?: string
}

const noBroker = { mqtt: null, mqttWs: null, mqttTls: null }

/** Tells cabinets where the broker is: ours, unless a setting says another. */
const bootstrapListener = (
  node: GatewayNode,
  { host, reusePort }: GatewayConfig,
  { httpPort, publicHost, publicPort }: MqttConfig,
  broker: MqttListeners | null,
  mayEnter: MayEnter,
) =>
  listenBootstrap(
    node,
    { host, port: httpPort, reusePort },
    { host: publicHost, port: publicPort ?? broker?.ports.mqtt ?? 0 },
    mayEnter,
  )

/** Listens to the bells. Where one may have been missed, all that it could have said is looked at. */
async function hear(node: GatewayNode): Promise<() => Promise<void>> {
  const unlisten = await Promise.all([
    node.db.listen(COMMAND_CHANNEL, (stationId) => node.dispatcher.ring(Number(stationId)), node.dispatcher.ringAll),
    node.db.listen(
      DEVICE_CHANNEL,
      (stationId) => {
        const session = node.sessions.get(Number(stationId))
        if (session) void lookAgain(session)
      },
      () => {
        for (const session of node.sessions.all()) doubt(session)
      },
    ),
  ])
  return async () => void (await Promise.all(unlisten.map((stop) => stop())))
}

/**
 * Opens the devices' door over a migrated database.
 * @throws BadSettings | the system's error when a port is taken
 */
export async function startGateway({ config, db, log, node: name = newName() }: GatewayOptions): Promise<Gateway> {
  const { node, numbers, throttled } = newNode({ config, db, log, name })
  const deaf = await hear(node)
  const clock = startTimers(node, throttled)
  const undo: (() => unknown)[] = [deaf, clock.stop, () => numbers.close()]
  try {
    const web = { host: config.host, port: config.metricsPort }
    let more: More = async () => false
    const health = () => ({ node: name, database: node.isDatabaseThere, cabinets: node.sessions.count() })
    const http = await serveMetrics(web, numbers.registry, health, (...asked) => more(...asked))
    undo.push(http.close)
    const mayEnter = connectionGuard(node, config.allow)
    const broker = config.mqtt && !config.broker ? await listenMqtt(node, config, config.mqtt, mayEnter) : null
    if (broker) undo.push(broker.close, broker.end)
    const cluster = config.broker ? await joinCluster(node, config.broker, numbers) : null
    if (cluster) undo.push(cluster.close)
    if (cluster && config.broker) more = brokerHooks(node, config.broker, cluster)
    const calls = config.mqtt ? await bootstrapListener(node, config, config.mqtt, broker, mayEnter) : null
    if (calls) undo.push(calls.close)
    const { host, reusePort, cabinetPort: port, tls } = config
    const doors = await listen(node, { host, reusePort, port, tls }, mayEnter, (socket, address) =>
      serve(socket, address, node),
    )
    return {
      ports: {
        cabinet: doors.port,
        cabinetTls: doors.tlsPort,
        metrics: http.port,
        ...(broker?.ports ?? noBroker),
        calls: calls?.port ?? null,
      },
      node,
      cluster,
      registry: numbers.registry,
      async close() {
        doors.close()
        broker?.close()
        await calls?.close()
        await cluster?.close()
        await deaf()
        await clock.stop()
        await shutDown(node)
        await broker?.end()
        numbers.close()
        await http.close()
      },
    }
  } catch (error) {
    for (const step of undo) await step()
    throw error
  }
}

async function main() {
  const known = z.object({ ...databaseSettings, ...gatewaySettings })
  if (process.argv.includes('--help')) {
    process.stdout.write(`Settings of the gateway:\n${describeSettings(known).join('\n')}\n`)
    return
  }
  const { DATABASE_URL, DATA_DIR, ...settings } = await readSettings(known, [
    databaseRule('KEYS_SECRET'),
    ...gatewayRules,
  ])
  const log = jsonLog()
  const ending = endOnSignals()
  const { db, embedded, stop } = await open({ databaseUrl: DATABASE_URL, dataDir: DATA_DIR, log })
  const gateway = await startGateway({
    config: gatewayConfig(settings, secret('KEYS_SECRET', DATA_DIR, embedded)),
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
