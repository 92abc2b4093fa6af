import { answered } from '../../../db/devices/command-results.ts'
import { type Ended, fail } from '../../../db/devices/commands.ts'
import * as connections from '../../../db/devices/connections.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { drop } from '../../../gateway/connection.ts'
import { silent } from '../../../gateway/device-handlers.ts'
import { unsigned } from '../../../gateway/login.ts'
import type { TcpHandlers } from '../../../gateway/tcp/tcp-connection.ts'
import type { Codec, Framer } from '../../../protocol/any-device.ts'
import { MalformedBody } from '../../../protocol/errors.ts'

// A device of another kind, as small as one can be: it says words, one in a line, and knows nothing of cabinets.

/** What it may be told; `spin` moves something, so it is never said twice. */
const words = ['blink', 'spin', 'restart']

/** `login TOY1`, `heartbeat`, and the word it has done. */
const codec: Codec = {
  decode(frame) {
    const [kind = ''] = frame.toString().split(' ')
    if (![...words, 'login', 'heartbeat'].includes(kind)) throw new MalformedBody(`no word: ${kind}`)
    return { kind }
  },
  encode({ kind }) {
    if (!words.includes(kind)) throw new RangeError(`no word: ${kind}`)
    return Buffer.from(`${kind}\n`)
  },
  answer: (frame, { kind }) => (kind === 'accepted' ? Buffer.from(`ok ${frame}\n`) : null),
}

function newFramer(): Framer {
  let rest: Buffer = Buffer.alloc(0)
  return {
    *push(chunk) {
      rest = Buffer.concat([rest, chunk])
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const frame = rest.subarray(0, end)
        rest = rest.subarray(end + 1)
        yield frame
      }
    },
    rest: () => rest,
  }
}

const hold = (tx: Tx, deviceId: number) => tx`select 1 from devices where id = ${deviceId} for no key update`

/** What the gateway asks of it; whatever ended goes to `told`. The toys' rows call them terminals, for want of a kind of their own. */
export const toy = (told: Ended[]): TcpHandlers => ({
  kind: 'terminal',
  newFramer,
  async identify(connection, frame) {
    const { node, address } = connection
    const [, serial = ''] = frame.toString().split(' ')
    const [known] = await node.db.sql<{ id: number }[]>`
      select id from devices where kind = 'terminal' and serial = ${serial}`
    if (!known || codec.decode(frame).kind !== 'login') {
      drop(connection, 'unknown_toy')
      return null
    }
    const deviceId = known.id
    return {
      ...{ deviceId, serial, codec, ...unsigned },
      async enter(tx) {
        await hold(tx, deviceId)
        const { ended, ...opened } = await connections.open(tx, { deviceId, node: node.name, dialect: 'toy', address })
        told.push(...ended)
        return opened
      },
    }
  },
  async handle(tx, deviceId, { kind }, hex) {
    await hold(tx, deviceId)
    const settled = await answered(tx, deviceId, { kind }, hex, tx`true`)
    return { verdict: silent, ...(settled && { commandId: settled.id }) }
  },
  unspeakable: async (tx, deviceId, ids) => void told.push(...(await fail(tx, deviceId, ids, 'no such word'))),
  ended: async (_, ended) => void told.push(...ended),
  async close(tx, departure) {
    await hold(tx, departure.deviceId)
    told.push(...((await connections.close(tx, departure)) ?? []))
  },
  recognise: async () => [],
})
