import type { Event } from '../../../db/messages/events.ts'
import { Refused } from '../../../db/paygo/refused.ts'
import { get as commandOf, type TerminalCommand } from '../../../db/paygo/terminal-commands.ts'
import * as verbs from '../../../db/paygo/terminals-list.ts'
import { hasRole } from '../../../db/platform/actor.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import type { Channel, SocketRoute } from '../../socket-holders.ts'
import { terminals as ids, time } from '../surface.ts'
import { command } from '../terminal-commands.ts'
import { staff, terminal } from '../terminals.ts'
import { ownTerminal } from './own-terminal.ts'
import { isTransaction, transaction } from './words.ts'

/** What changes how a terminal stands. */
const standings = new Set([
  'terminal.connected',
  'terminal.disconnected',
  'terminal.condition_changed',
  'terminal.disabled',
])

const commandMoves = new Set(['terminal.command', 'terminal.command_sent', 'terminal.command_ended'])

/** A command as it was at a move: its row may have gone on since. */
const asOf = (found: TerminalCommand, { kind, data }: Event): TerminalCommand =>
  kind === 'terminal.command_ended'
    ? found
    : { ...found, status: data.status as TerminalCommand['status'], result: null, executedAt: null }

/** A terminal that is (still) there; else null. */
async function find(db: Db, terminalId: number): Promise<verbs.Terminal | null> {
  try {
    return await verbs.get(db.sql, terminalId)
  } catch (error) {
    if (error instanceof Refused && error.code === 'not_found') return null
    throw error
  }
}

/** What is only written down, in the words it was written in. */
function log({ kind, data }: Event, terminal_id: string) {
  const { terminalId: _, ...details } = data
  return { type: 'log', data: { terminal_id, event: kind, details } }
}

function channelOf(db: Db, terminalId: number): Channel {
  const terminal_id = ids.spell(terminalId)
  return {
    async greet() {
      const found = await find(db, terminalId)
      return found ? { terminal: terminal(found) } : 4404
    },
    async tell(event) {
      const { kind, data } = event
      if (data.terminalId !== terminalId) return []
      if (isTransaction(event)) return [{ type: 'transaction', data: transaction(event) }]
      if (commandMoves.has(kind)) {
        const found = await commandOf(db.sql, terminalId, Number(data.commandId))
        return found ? [{ type: 'command', data: command(asOf(found, event)) }] : []
      }
      if (!standings.has(kind)) return [log(event, terminal_id)]
      const found = await find(db, terminalId)
      if (!found) return 4404
      const status = { terminal_id, status: found.status, last_ping: time(found.lastPing) }
      return [{ type: 'status', data: status }, log(event, terminal_id)]
    },
  }
}

/** A terminal as it is watched by staff, and its own socket. */
export const terminalSocket: SocketRoute = {
  surface: 'paygo',
  path: /^(?:\/api\/v1)?\/ws\/terminals\/([^/]+)$/,
  device: ownTerminal,
  topic: (id) => `terminal ${ids.given.safeParse(id).data}`,
  open(db, actor, id) {
    if (!hasRole(actor, ...staff)) return 4403
    const given = ids.given.safeParse(id)
    return given.success ? channelOf(db, given.data) : 4404
  },
}
