import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

/** Who hears notices, over a real socket; ends with the test. */
export async function receiver(answer: Answer = () => ({ status: 200 })) {
  const bodies: string[] = []
  const headers: IncomingHttpHeaders[] = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    headers.push(request.headers)
    const said = await answer(body, bodies.push(body), request.headers)
    if (said.status === 0) return response.destroy()
    response.writeHead(said.status).end(said.body ?? '')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/webhook`, bodies, headers }
}

type Answer = (body: string, nth: number, headers: IncomingHttpHeaders) => Promise<Heard> | Heard

/** An answer; status 0: the connection breaks. */
export interface Heard {
  status: number
  body?: string
}
