import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from './child.ts'

let isHanging = false
const held: ServerResponse[] = []
const refuse = (response: ServerResponse) =>
  response.writeHead(404, { 'content-type': 'application/json' }).end('{"type":"error","code":"not_found"}')

const skills = {
  /** The API of a provider that knows nothing, on a free port. */
  listen: () =>
    new Promise<number>((resolve) => {
      const server = createServer((_, response) => (isHanging ? held.push(response) : refuse(response)))
      server.listen({ port: 0, host: '127.0.0.1' }, () => resolve((server.address() as AddressInfo).port))
    }),
  /** Whether it answers from now on; who waited is answered when it does. */
  hang(hangs: boolean) {
    isHanging = hangs
    if (!hangs) for (const response of held.splice(0)) refuse(response)
  },
}

/** For `start`. */
export type ProviderChild = typeof skills

serve(skills)
