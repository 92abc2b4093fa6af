import { type AddressInfo, createServer, type Server } from 'node:net'
import { serve, usage } from './child.ts'

let server: Server | undefined

const skills = {
  /** A bare server on a free port: says back what it reads, knows nothing. */
  listen: () =>
    new Promise<number>((resolve, reject) => {
      server = createServer({ noDelay: true }, (socket) => {
        socket.on('data', (chunk) => socket.write(chunk))
        // A link that is cut at the end of a run.
        socket.on('error', () => socket.destroy())
      })
      server.once('error', reject)
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
        resolve((server!.address() as AddressInfo).port),
      )
    }),
  usage,
}

/** For `start`. */
export type EchoChild = typeof skills

serve(skills)
