import type { Waiting } from '../../db/devices/commands.ts'
import { madeTrueBy } from '../../db/messages/events.ts'
import { answered, type Result } from '../../db/paygo/terminal-commands.ts'
import * as sessions from '../../db/paygo/terminal-sessions.ts'
import { identify } from '../../db/paygo/terminals.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import type { Report } from '../../protocol/terminal.ts'
import { newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { accepted, type Outcome, silent } from '../device-handlers.ts'
import type { TcpHandlers } from '../tcp/tcp-connection.ts'
import { type SignOn, signOn } from './sign-on.ts'
import type { Till } from './till.ts'

/** After so many of its heartbeats without a word a terminal is away (docs/protocol.md 7.8). */
const silentHeartbeats = 2

/** It has answered a command. */
async function result(tx: Tx, terminalId: number, said: Result, hex: string): Promise<Outcome> {
  await madeTrueBy(tx, hex)
  const commandId = await answered(tx, terminalId, said, hex)
  return commandId === null ? { verdict: silent } : { verdict: silent, commandId }
}

/** The command of a row; said for a second time it says so. */
const commandOf = ({ kind, args, attempts }: Waiting) => ({ kind, ...args, ...(attempts > 0 && { isRepeat: true }) })

/** What a terminal says, inside the transaction of its message. */
async function handle(tx: Tx, terminalId: number, report: Report, hex: string, till: Till): Promise<Outcome> {
  switch (report.kind) {
    case 'login':
    case 'heartbeat':
      return { verdict: accepted }
    case 'sign_off':
      return { verdict: accepted, ends: 'signed_off' }
    case 'unacceptable':
      return { verdict: { ...report, kind: 'answered' } }
    case 'result':
      return await result(tx, terminalId, report, hex)
    default:
      return await till.handle(tx, terminalId, report, hex)
  }
}

/** Money is heard together with that of other terminals, but for what a hold may begin beside it in its own transaction. */
function handleTogether(terminalId: number, report: Report, hex: string, till: Till): Promise<Outcome> | null {
  switch (report.kind) {
    case 'purchase':
    case 'advice':
    case 'reversal':
    case 'totals':
      return till.handleTogether(terminalId, report, hex)
    default:
      return null
  }
}

/** What a terminal says and does not say, over any transport. */
export const terminal = (way: SignOn, till: Till): TcpHandlers => ({
  kind: 'terminal',
  silentHeartbeats,
  newFramer,
  identify: (connection, frame) => signOn(connection, frame, way),
  handle: (tx, terminalId, report: Report, hex) => handle(tx, terminalId, report, hex, till),
  handleTogether: (terminalId, report: Report, hex) => handleTogether(terminalId, report, hex, till),
  commandOf,
  claimed: sessions.claimed,
  unspeakable: sessions.unspeakable,
  ended: sessions.ended,
  close: sessions.close,
  async recognise({ connection: { node }, serial, deviceId }) {
    const known = await identify(node.db.sql, serial, node.keysSecret)
    return known?.isActive && known.terminalId === deviceId ? known.keys : null
  },
})
