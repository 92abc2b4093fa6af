import { createServer, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { MqttConfig } from '../config.ts'
import { count } from '../counts.ts'
import { plain } from '../networks.ts'
import type { GatewayNode } from '../node.ts'
import { carries } from '../raw-socket.ts'

/** An upgrade has so long to be asked for. */
const upgradeMs = 10_000

/** MQTT in WebSocket frames, at any path; the subprotocol must be asked for (MQTT 3.1.1 6). */
export function webSocketServer(
  node: GatewayNode,
  config: MqttConfig,
  enter: (stream: Duplex, address: string) => void,
): Server {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: config.packetBytesMax,
    handleProtocols: () => 'mqtt',
  })
  const server = createServer({ headersTimeout: upgradeMs, requestTimeout: upgradeMs, noDelay: true }, (_, response) =>
    response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end(),
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
      carries(request.socket, stream)
      // Before the stream hears it (MQTT-6.0.0-1).
      webSocket.prependListener('message', (_, isBinary) => {
        if (!isBinary) stream.destroy(Object.assign(new Error('a text frame'), { code: 'TEXT_FRAME' }))
      })
      enter(stream, address)
    })
  })
  return server
}
