import { randomUUID } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import type { Event } from '../../../db/messages/events.ts'
import { Refused } from '../../../db/paygo/refused.ts'
import * as commands from '../../../db/paygo/terminal-commands.ts'
import { reported } from '../../../db/paygo/terminal-reports.ts'
import { leave, stand } from '../../../db/paygo/terminal-sessions.ts'
import { identifyOwn } from '../../../db/paygo/terminals.ts'
import { get } from '../../../db/paygo/terminals-list.ts'
import { shownStatuses } from '../../../db/paygo/transactions-list.ts'
import { COMMAND_CHANNEL } from '../../../db/postgres/channels.ts'
import type { AppContext } from '../../context.ts'
import type { Asked, Channel, Holder, Told } from '../../socket-holders.ts'
import type { Ending } from '../../socket-line.ts'
import { failure, mistaken, mistakesOf } from '../refusals.ts'
import { commands as commandIds, failureOf, terminals as ids, transactions as transactionIds } from '../surface.ts'
import { command } from '../terminal-commands.ts'
import { terminal } from '../terminals.ts'
import { isTransaction, shownStatus, transaction } from './words.ts'

/** As long as field 61 may be (docs/protocol.md 7.3). */
const resultCharactersMax = 999
/** A result over 0610 has a code; over a socket a terminal says which of the two it is. */
const codes = { completed: '00', failed: '96' } as const

const Said = z.discriminatedUnion('type', [
  z.object({ type: z.literal('heartbeat') }),
  z.object({
    type: z.literal('command_result'),
    data: z.object({
      id: commandIds.given,
      status: z.enum(['completed', 'failed']),
      result: z.string().max(resultCharactersMax).optional(),
    }),
  }),
  z.object({
    type: z.literal('transaction_result'),
    data: z.object({ id: transactionIds.given, status: z.enum(shownStatuses) }),
  }),
])
type Said = z.output<typeof Said>

/** One socket of a terminal's own. `node`: its name in the rows. */
interface Own extends Pick<AppContext, 'db'> {
  terminalId: number
  node: string
  address: string
  heartbeatSeconds: number
}

const standing = ({ db, ...arrival }: Own, isNew: boolean) => db.transaction((tx) => stand(tx, { ...arrival, isNew }))

/** What came of it, committed before it is answered. */
async function act({ db, terminalId }: Own, said: Said): Promise<object> {
  if (said.type === 'heartbeat') return {}
  const { id } = said.data
  if (said.type === 'transaction_result') {
    const report = { transactionId: id, status: said.data.status }
    const status = await db.transaction((tx) => reported(tx, terminalId, report))
    return { id: transactionIds.spell(id), status: shownStatus(status) }
  }
  const { status, result: text } = said.data
  const found = await db.transaction(async (tx) => {
    const result = { id, code: codes[status], ...(text !== undefined && { text }) }
    await commands.answered(tx, terminalId, result, '')
    return await commands.get(tx, terminalId, id)
  })
  if (!found) throw new Refused('not_found', `command ${id}`, { reason: 'command_unknown' })
  return { id: commandIds.spell(id), status: found.status }
}

/** Something a terminal said, and what it is answered. */
async function answer(own: Own, said: unknown): Promise<Told> {
  const found = Said.safeParse(said)
  if (!found.success) return [{ type: 'refused', data: mistaken(mistakesOf(found.error.issues)) }]
  try {
    const { type } = found.data
    return [{ type: 'accepted', data: { type, ...(await act(own, found.data)) } }]
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return [{ type: 'refused', data: failure(failureOf(error)) }]
  }
}

/** What is said to a terminal that is on its own socket, and what it says. */
function channelOf(own: Own, admit: () => Promise<Ending | null>): Channel {
  const { db, terminalId, node } = own
  const look = async (): Promise<Told> => {
    const some = await db.transaction((tx) => commands.take(tx, terminalId, node))
    return some.map((one) => ({ type: 'command', data: command(one) }))
  }
  return {
    async greet() {
      await standing(own, true)
      return { terminal: terminal(await get(db.sql, terminalId)) }
    },
    look,
    attend: (ring) => db.listen(COMMAND_CHANNEL, (deviceId) => Number(deviceId) === terminalId && ring(), ring),
    async tell(event: Event) {
      if (isTransaction(event)) return [{ type: 'transaction', data: transaction(event) }]
      if (event.kind !== 'terminal.connected' && event.kind !== 'terminal.disconnected') return []
      return (await standing(own, false)) === null ? 4409 : await look()
    },
    async hear(said) {
      const ending = (await admit()) ?? ((await standing(own, false)) === null ? 4409 : null)
      return ending ?? (await answer(own, said))
    },
    close: () => db.transaction((tx) => leave(tx, terminalId, node)),
  }
}

/** A terminal on its own socket, by its key (docs/contracts.md 1.7). */
export function ownTerminal({ db, config }: AppContext, { id, token, address }: Asked): Holder | Ending {
  const given = ids.given.safeParse(id)
  if (!given.success) return 4401
  const terminalId = given.data
  const { heartbeatSeconds } = config.paygo
  const own = { db, terminalId, node: `socket-${randomUUID()}`, address, heartbeatSeconds }
  /** Whether its key is good still, and it is not switched off. */
  const refusal = async () => {
    const known = await identifyOwn(db.sql, { terminalId, key: token }, config.keysSecret)
    if (!known) return 4401
    return known.isActive ? null : 4404
  }
  const channel = channelOf(own, refusal)
  return {
    topics: [`device ${terminalId}`, `terminal ${terminalId}`],
    expiresAt: null,
    admit: async () => (await refusal()) ?? channel,
    concerns: ({ kind }) => kind === 'terminal.disabled',
  }
}
