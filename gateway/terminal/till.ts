import { hear } from '../../db/kiosk/hear.ts'
import { madeTrueBy } from '../../db/messages/events.ts'
import type { Acquirer } from '../../db/paygo/acquirer.ts'
import { type Answered, answersOf, rungFor } from '../../db/paygo/answers.ts'
import { type Heard, hearAll, type Said } from '../../db/paygo/hear.ts'
import { settle } from '../../db/paygo/settle.ts'
import { startSweeper } from '../../db/paygo/sweeper.ts'
import type { TerminalMessage } from '../../db/paygo/terminal-messages.ts'
import type { Log } from '../../db/platform/log.ts'
import { every, within } from '../../db/platform/patience.ts'
import { batches } from '../../db/postgres/batches.ts'
import { TERMINAL_ANSWER_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db, Tx } from '../../db/postgres/connect.ts'
import type { ResponseCode, Verdict } from '../../protocol/terminal.ts'
import type { Outcome } from '../device-handlers.ts'
import { type WaitingAnswers, waitingAnswers } from './waiting.ts'

/** Answers that another process wrote are looked up together; our own are here before that. */
const bellMs = 5
/** A bell that was lost costs so much. */
const lookMs = 1_000
/** Messages of different terminals that are heard together, at most. */
const togetherMax = 100
/** How long acts under way may take when we stop: whoever comes after us goes on with the others. */
const goodbyeMs = 2_000

/** Where terminals' money is worked off. */
export interface Till {
  /** What a terminal says of money, in the transaction of its message. */
  handle(tx: Tx, terminalId: number, message: TerminalMessage, hex: string): Promise<Outcome>
  /** The same, with what other terminals say at the same time, in a transaction of them all. Resolves after its commit. */
  handleTogether(terminalId: number, message: TerminalMessage, hex: string): Promise<Outcome>
  close(): Promise<void>
}

/** What it is made of. */
interface TillParts {
  db: Db
  log: Log
  acquirer: Acquirer
}

const verdictOf = ({ code, rrn, approval, figures }: Answered['answer']): Verdict => ({
  kind: 'answered',
  // Codes are written by our own decisions, and by acquirers within theirs.
  code: code as ResponseCode,
  ...(rrn !== undefined && { rrn }),
  ...(approval !== undefined && { approval }),
  ...(figures && { totals: figures }),
})

/** Does what nobody waits for, and gives the answers that come of it to whoever waits for those. */
function background(log: Log, waiting: WaitingAnswers) {
  const running = new Set<Promise<void>>()
  return {
    begin(what: string, work: () => Promise<readonly Answered[]>) {
      const done = work()
        .then(waiting.give)
        // It is a row still, and due again.
        .catch((error) => log(`${what}.failed`, { error }))
        .finally(() => running.delete(done))
      running.add(done)
    },
    settled: () => Promise.all(running),
  }
}

type Background = ReturnType<typeof background>

/** Hears what other processes have answered. @returns what ends it */
async function watch({ db }: TillParts, waiting: WaitingAnswers, { begin }: Background) {
  const rung = new Set<number>()
  let bell: NodeJS.Timeout | undefined
  const look = (messageIds: readonly number[]) => {
    if (messageIds.length > 0) begin('terminal_answers', () => answersOf(db.sql, messageIds))
  }
  const flush = () => {
    bell = undefined
    const ids = [...rung]
    rung.clear()
    look(ids)
  }
  const ring = (payload: string) => {
    for (const { terminalId, messageId } of rungFor(payload)) {
      if (!waiting.has(terminalId, messageId)) continue
      rung.add(messageId)
      bell ??= setTimeout(flush, bellMs)
    }
  }
  const unlisten = await db.listen(TERMINAL_ANSWER_CHANNEL, ring, () => look(waiting.olderThan(0)))
  const stopLooking = every(lookMs, async () => look(waiting.olderThan(lookMs)))
  const close = async () => {
    clearTimeout(bell)
    await unlisten()
    await stopLooking()
  }
  return { look, close }
}

/**
 * Hears terminals' money and settles it with the acquirer, while their lines go on: what is not known yet is said when it
 * is, whichever process settles it. Nothing is lost with this one: every act is a row with a time by which somebody looks.
 */
export async function openTill(parts: TillParts): Promise<Till> {
  const { db, log, acquirer } = parts
  const waiting = waitingAnswers(() => performance.now())
  const work = background(log, waiting)
  const { look, close } = await watch(parts, waiting, work)
  const failed = (error: unknown) => log('settlement.failed', { error })
  const sweeper = startSweeper({ db, acquirer, failed, answered: waiting.give })
  const together = batches((said: readonly Said[]) => db.transaction((tx) => hearAll(tx, said)), {
    max: togetherMax,
    keyOf: ({ terminalId }) => terminalId,
  })
  const outcomeOf = (terminalId: number, { messageId, answer, told, answers }: Heard): Outcome => {
    const committed = () => {
      waiting.give(answers)
      if (told.length > 0) work.begin('settlement', () => settle(db, acquirer, told))
    }
    if (answer) return { verdict: verdictOf(answer), committed }
    return {
      verdict: { kind: 'later' },
      committed,
      later(say) {
        waiting.wait(terminalId, messageId, (answer) => say(verdictOf(answer)))
        // Somebody else settles it, and may have just before we listened.
        if (told.length === 0) look([messageId])
      },
    }
  }
  return {
    async handle(tx, terminalId, message, hex) {
      const [heard] = await Promise.all([hear(tx, terminalId, message), madeTrueBy(tx, hex)])
      return outcomeOf(terminalId, heard)
    },
    handleTogether: async (terminalId, message, frame) =>
      outcomeOf(terminalId, await together({ terminalId, message, frame })),
    async close() {
      await close()
      await Promise.all([sweeper.close(), within(goodbyeMs, work.settled())])
    },
  }
}
