import { type AddressInfo, createServer } from 'node:net'
import { Aedes } from 'aedes'
import { serve, usage } from './child.ts'

const skills = {
  /** aedes as it comes, on a free port: lets everybody in, routes what is published. */
  async listen(): Promise<number> {
    const broker = await Aedes.createBroker()
    const server = createServer({ noDelay: true }, (socket) => void broker.handle(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve)
    })
    return (server.address() as AddressInfo).port
  },
  usage,
}

/** For `start`. */
export type AedesChild = typeof skills

serve(skills)
