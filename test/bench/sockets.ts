import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { sign } from '../../api/token.ts'
import * as identity from '../../db/identity/identity.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { Child, Usage } from './child.ts'
import { weigh } from './memory.ts'
import { alternate, compared } from './pairs.ts'
import type { HouseChild } from './server-child.ts'
import type { SocketsChild } from './sockets-child.ts'
import type { Bench } from './stage.ts'
import { kilobytes, type Row } from './table.ts'

const socketsFull = 5_000
const socketsQuick = 500
const people = 100
/** Longer than the beat of the house, which hangs up on whoever does not answer it. */
const holdMs = 35_000

/** Somebody of the PayGo surface, and a token. */
async function member(db: Db, n: number, jwtSecret: string): Promise<string> {
  const { userId, session } = await db.transaction(async (tx) => {
    const roles = [{ surface: 'paygo' as const, role: 'user' as const, orgUnitId: null }]
    const about = { phone: null, email: `bench${n}@example.org`, fullName: 'Bench', passwordHash: null, roles }
    const userId = await identity.createWithRoles(tx, about)
    return {
      userId,
      session: await identity.login(tx, userId, { surface: 'paygo', hours: 1, ip: null, userAgent: null }),
    }
  })
  return await sign(
    { userId, sessionId: session.sessionId },
    { surface: 'paygo', expiresAt: session.expiresAt },
    jwtSecret,
  )
}

/** What a person's WebSocket weighs in the API, and one of a bare server; all of them held past a beat. */
export async function sockets(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench
  const count = quick ? socketsQuick : socketsFull
  const secret = randomBytes(32).toString('hex')
  const { db, url } = await bench.database()
  const tokens = await Promise.all(Array.from({ length: people }, (_, n) => member(db, n, secret)))
  async function held(server: Child<{ usage: () => Usage }>, to: string, given: readonly string[]) {
    bench.progress(`  ${count} sockets at ${to}`)
    const clients = bench.start<SocketsChild>('sockets-child.ts')
    const weight = await weigh(server, count, () => clients.ask('dial', { url: to, tokens: given, count }))
    await pause(quick ? 0 : holdMs)
    const open = await clients.ask('open', undefined)
    if (open < count) throw new Error(`${count - open} sockets were lost`)
    await clients.end()
    await server.end()
    return weight
  }
  const rounds = await alternate(
    quick ? 1 : 2,
    {
      ours: async () => {
        const house = bench.start<HouseChild>('server-child.ts', { isUnderTest: true, collectsGarbage: true })
        const settings = { PAYGO_REQUESTS_PER_MINUTE: '1000000' }
        const { apiPort } = await house.ask('open', {
          url,
          keysSecret: secret,
          jwtSecret: secret,
          hasApi: true,
          settings,
        })
        return await held(house, `ws://127.0.0.1:${apiPort}/ws/notifications`, tokens)
      },
      bare: async () => {
        const server = bench.start<SocketsChild>('sockets-child.ts', { collectsGarbage: true })
        return await held(server, `ws://127.0.0.1:${await server.ask('listen', undefined)}`, [])
      },
    },
    { warmsUp: false },
  )
  const rss = compared(rounds, (weight) => weight.rss, ['ours', 'bare'])
  const heap = compared(rounds, (weight) => weight.heap, ['ours', 'bare'])
  note(`sockets: of that ${kilobytes(heap.ours)} in the heap, against ${kilobytes(heap.baseline)} of a bare one.`)
  return [
    {
      what: `memory of a person’s WebSocket, ${count.toLocaleString('en')} held`,
      ours: kilobytes(rss.ours),
      baseline: `bare ws ${kilobytes(rss.baseline)}`,
      ratio: rss.ratio,
      goal: 'all held',
      met: true,
    },
  ]
}
