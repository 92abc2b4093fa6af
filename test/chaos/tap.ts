import { connect, createServer, type Socket } from 'node:net'

/** What becomes of the bytes of one connection, each way: what is returned goes on, nothing is held for good. */
export interface Filters {
  /** From whoever dialled to the far end. */
  there(chunk: Buffer): Buffer
  /** And back. */
  back(chunk: Buffer): Buffer
}

/** A piece of wire between the house and one of its neighbours, at a port that survives the house. */
export interface Tap {
  port: number
  /** Where connections go from now on; null: nobody is there, and whoever dials is hung up on. */
  lead(port: number | null): void
  close(): Promise<void>
}

/** Cuts a tap into a wire. Each connection gets filters of its own. */
export async function tap(filters: () => Filters): Promise<Tap> {
  let target: number | null = null
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    near.on('error', () => near.destroy())
    if (target === null) return near.destroy()
    const far = connect({ host: '127.0.0.1', port: target, noDelay: true, allowHalfOpen: true })
    join(near, far, filters())
    for (const socket of [near, far]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
  })
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as { port: number }).port,
    lead: (port) => {
      target = port
    },
    close: async () => {
      const closed = new Promise((done) => server.close(done))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

function join(near: Socket, far: Socket, { there, back }: Filters) {
  const carry = (from: Socket, to: Socket, filter: (chunk: Buffer) => Buffer) => {
    from.on('data', (chunk: Buffer) => {
      const passed = filter(chunk)
      if (passed.length > 0 && to.writable) to.write(passed)
    })
    // What was said before the end still arrives, as it does on a wire.
    from.on('end', () => to.end())
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroySoon())
  }
  carry(near, far, there)
  carry(far, near, back)
}
