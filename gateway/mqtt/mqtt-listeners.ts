import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { GatewayConfig, MqttConfig } from '../config.ts'
import { count } from '../counts.ts'
import { handshakeMs, line, listening, type MayEnter } from '../listeners.ts'
import { plain } from '../networks.ts'
import type { GatewayNode } from '../node.ts'
import { startBroker } from './broker.ts'

/** An upgrade has so long to be asked for. */
const upgradeMs = 10_000

/** The broker's open doors. */
export interface MqttListeners {
  ports: { mqtt: number; mqttWs: number; mqttTls: number | null }
  /** Takes no new connection; the ones there are stay. */
  close(): void
  /** Ends the broker itself, and whoever is left. */
  end(): Promise<void>
}

type Enter = (socket: Socket) => void

/** MQTT in WebSocket frames, at any path; the subprotocol must be asked for (MQTT 3.1.1 6). */
function webSocketDoor(
  node: GatewayNode,
  config: MqttConfig,
  enter: (stream: ReturnType<typeof createWebSocketStream>, address: string) => void,
) {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: config.packetBytesMax,
    handleProtocols: () => 'mqtt',
  })
  const server = createHttpServer(
    { headersTimeout: upgradeMs, requestTimeout: upgradeMs, noDelay: true },
    (_, response) => response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end(),
  )
  server.on('upgrade', (request, socket, head) => {
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
    if (!offered.includes('mqtt')) {
      count(node.counts.turnedAway, 'no_mqtt_subprotocol')
      // From here on it is nobody's: who hangs up in the middle of it must not end the process, who never does must end.
      socket.on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n', () => socket.destroy())
      return
    }
    const address = plain(request.socket.remoteAddress ?? '')
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = createWebSocketStream(webSocket, { allowHalfOpen: true })
      // Before the stream hears it (MQTT-6.0.0-1).
      webSocket.prependListener('message', (_, isBinary) => {
        if (!isBinary) stream.destroy(Object.assign(new Error('a text frame'), { code: 'TEXT_FRAME' }))
      })
      enter(stream, address)
    })
  })
  return server
}

/** Starts the broker and opens its ports. Rejects with the system's error when one is taken. */
export async function listenMqtt(
  node: GatewayNode,
  { host, reusePort }: Pick<GatewayConfig, 'host' | 'reusePort'>,
  config: MqttConfig,
  mayEnter: MayEnter,
): Promise<MqttListeners> {
  const broker = await startBroker(node, config)
  const where = { host, reusePort }
  const enter: Enter = (socket) => broker.serve(socket, plain(socket.remoteAddress ?? ''))
  const tcp = createServer(line, (socket) => {
    if (mayEnter(socket)) enter(socket)
  })
  const web = webSocketDoor(node, config, broker.serve)
  web.on('connection', mayEnter)
  const servers: Server[] = [tcp, web]
  const close = () => {
    for (const server of servers) server.close()
  }
  try {
    const ports = {
      mqtt: await listening(tcp, config.port, where),
      mqttWs: await listening(web, config.wsPort, where),
      mqttTls: null as number | null,
    }
    if (config.tls) {
      const { cert, key, port } = config.tls
      const tls = createTlsServer({ ...line, cert, key, handshakeTimeout: handshakeMs })
      tls.on('connection', mayEnter)
      tls.on('secureConnection', enter)
      tls.on('tlsClientError', () => count(node.counts.turnedAway, 'tls_failed'))
      servers.push(tls)
      ports.mqttTls = await listening(tls, port, where)
    }
    for (const server of servers) server.on('error', (error) => node.log('accept.failed', { error }))
    return { ports, close, end: broker.close }
  } catch (error) {
    close()
    await broker.close()
    throw error
  }
}
