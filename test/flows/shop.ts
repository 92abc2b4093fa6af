import { onTestFinished } from 'vitest'
import type { Db } from '../../db/postgres/connect.ts'
import { dialer } from '../../simulators/dial.ts'
import { jsonLine } from '../../simulators/terminal/terminal-journal.ts'
import { play, readScript } from '../../simulators/terminal/terminal-script.ts'
import { type TerminalSettings, terminal } from '../../simulators/terminal/terminal-tcp.ts'
import { newTerminal, type Registered, type Running, terminalGateway } from '../gateway/terminal/terminal-stage.ts'

/** A simulated terminal at a gateway, quick to dial and to say again. */
export function counter(gateway: Running, { code, key }: Registered, change: Partial<TerminalSettings> = {}) {
  const one = terminal(dialer(false), {
    terminalCode: code,
    key,
    host: { host: '127.0.0.1', port: gateway.ports.terminal! },
    redialSeconds: 0.05,
    bootSeconds: 0.05,
    repeatSeconds: 0.3,
    ...change,
  })
  onTestFinished(() => one.close())
  return one
}

/** Silence is known for what it is after a moment. */
const acquirer = { ACQUIRER_SECONDS: 0.3, ACQUIRER_LATE_SECONDS: 0.35 }

/** A gateway, and a terminal that dials it. */
export async function shop(
  db: Db,
  change: Partial<TerminalSettings> = {},
  {
    limits,
    ...settings
  }: Parameters<typeof terminalGateway>[1] & {
    limits?: Parameters<typeof terminalGateway>[2]
  } = {},
) {
  const gateway = await terminalGateway(db, { acquirer, ...settings }, limits)
  const registered = await newTerminal(db)
  const one = counter(gateway, registered, change)
  let seen = 0
  return {
    gateway,
    ...{ registered, terminal: one },
    /** What it would have logged. */
    log: () => one.journal.entries.map(jsonLine).join('\n'),
    /** Plays a script, one action a line; the next goes on looking where it ended. */
    async play(...lines: string[]) {
      seen = await play(one, readScript(lines.join('\n')), seen)
    },
  }
}
