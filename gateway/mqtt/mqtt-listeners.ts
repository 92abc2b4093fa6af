import type { GatewayConfig, MqttConfig } from '../config.ts'
import type { MayEnter } from '../connection-guard.ts'
import { acceptsOn, listen, listening } from '../listeners.ts'
import type { GatewayNode } from '../node.ts'
import type { MqttTerminals } from '../terminal/mqtt-login.ts'
import { startBroker } from './broker.ts'
import { webSocketServer } from './websocket.ts'

/** The broker's open ports. */
export interface MqttListeners {
  ports: { mqtt: number; mqttWs: number; mqttTls: number | null }
  /** Takes no new connection; the ones there are stay. */
  close(): void
  /** Ends the broker itself, and whoever is left. */
  end(): Promise<void>
}

/** Starts the broker and opens its ports. Rejects with the system's error when one is taken. */
export async function listenMqtt(
  node: GatewayNode,
  { host, reusePort }: Pick<GatewayConfig, 'host' | 'reusePort'>,
  config: MqttConfig,
  { mayEnter, terminals }: { mayEnter: MayEnter; terminals: MqttTerminals | null },
): Promise<MqttListeners> {
  const broker = await startBroker(node, config, terminals)
  const where = { host, reusePort }
  const web = webSocketServer(node, config, broker.serve)
  web.on('connection', mayEnter)
  try {
    const mqttWs = await listening(web, config.wsPort, where)
    acceptsOn(node, [web])
    const { port: mqtt, tlsPort: mqttTls, ...tcp } = await listen(node, { ...config, ...where }, mayEnter, broker.serve)
    const close = () => {
      web.close()
      tcp.close()
    }
    return { ports: { mqtt, mqttWs, mqttTls }, close, end: broker.close }
  } catch (error) {
    web.close()
    await broker.close()
    throw error
  }
}
