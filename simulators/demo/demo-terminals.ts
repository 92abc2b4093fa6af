import { setTimeout as after } from 'node:timers/promises'
import { between, type Range } from '../cabinet/latency.ts'
import { dialer } from '../dial.ts'
import { card, cardNames, type Entry } from '../terminal/cards.ts'
import type { Terminal } from '../terminal/simulated-terminal.ts'
import { terminal } from '../terminal/terminal-tcp.ts'

/** Between one customer and the next. */
const pauseSecondsStandard: Range = [5, 20]
const amountsMinor: Range = [5_000, 90_000]
/** Every so many customers one is declined, one changes their mind, and the shop settles. */
const declinedEvery = 6
const reversedEvery = 5
const settledEvery = 8
/** The simulated acquirer reads its answer from the last two digits (docs/protocol.md 7.10): not enough money. */
const declinedEnding = 51
const entries: Entry[] = ['nfc', 'nfc', 'chip', 'stripe']
const minorUnits = 100

/** Terminals that live: who they are, and where their host is. */
export interface DemoTerminals {
  host: string
  port: number
  /** `depositMinor`: it stands beside a cabinet, and takes deposits for what that lets out. */
  terminals: readonly { terminalCode: string; key: string; depositMinor?: number }[]
  pauseSeconds?: Range
  allowRemote?: boolean
}

const oneOf = <T>(some: readonly T[]): T => some[Math.floor(Math.random() * some.length)]!

/** Whole roubles, which every acquirer takes, or the amount that ours declines. */
function amountOf(customer: number): number {
  const whole = Math.round(between(amountsMinor) / minorUnits) * minorUnits
  return customer % declinedEvery === 0 ? whole + declinedEnding : whole
}

/** One customer. @throws RangeError the terminal is busy, or has no line */
function serve(one: Terminal, customer: number, depositMinor: number | undefined) {
  if (one.waiting > 0 || !one.online) return
  const shown = card(oneOf(cardNames), oneOf(entries))
  // What is due of it the host takes by itself.
  if (depositMinor !== undefined) return void one.authorise({ amountMinor: depositMinor, card: shown })
  if (customer % settledEvery === 0) {
    // Somebody has looked: what was counted before this simulator began is the host's to say.
    if (one.till.hosts) one.adopt()
    return one.total()
  }
  if (customer % reversedEvery === 0 && one.till.sales.at(-1)?.state === 'approved') return void one.reverse()
  one.buy({ amountMinor: amountOf(customer), card: shown })
}

async function live(
  one: Terminal,
  { pauseSeconds = pauseSecondsStandard }: DemoTerminals,
  depositMinor: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (let customer = 1; ; customer++) {
    await after(between(pauseSeconds) * 1000, undefined, { signal })
    try {
      serve(one, customer, depositMinor)
    } catch (error) {
      // In maintenance, say: customers come again later.
      if (!(error instanceof RangeError)) throw error
    }
  }
}

/**
 * Lets terminals sell until they are closed.
 * @throws RangeError a host that may not be dialled, or a key that is none
 */
export function demoTerminals(settings: DemoTerminals): { terminals: readonly Terminal[]; close(): Promise<void> } {
  const { host, port, allowRemote = false } = settings
  const end = new AbortController()
  const terminals = settings.terminals.map(({ depositMinor, ...one }) => {
    const made = terminal(dialer(allowRemote), { ...one, host: { host, port }, merchant: 'VOLTBAY DEMO' })
    live(made, settings, depositMinor, end.signal).catch((error: unknown) => {
      if (!end.signal.aborted) throw error
    })
    return made
  })
  return {
    terminals,
    async close() {
      end.abort()
      await Promise.all(terminals.map((one) => one.close()))
    },
  }
}
