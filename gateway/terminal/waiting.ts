import type { Answered } from '../../db/paygo/answers.ts'

/** Messages of one terminal that wait for their answers, at most; beyond, the oldest is forgotten: it is asked again. */
export const waitingMax = 8
/** How long one is kept: the terminal waits a minute, then reverses (docs/protocol.md 7.8). */
const keptMs = 120_000

/** Says the answer to the terminal that asked. */
type Say = (answer: Answered['answer']) => void

/** Messages whose answer is not known yet, and what says it on the line they came by. */
export interface WaitingAnswers {
  /** Asked again, over whichever line, the newest hears it. */
  wait(terminalId: number, messageId: number, say: Say): void
  /** Said once; nobody may be waiting for it. */
  give(answers: readonly Answered[]): void
  has(terminalId: number, messageId: number): boolean
  /** All that have waited for so long, and forgets those whose terminal has given them up. */
  olderThan(ms: number): number[]
}

/** @param now milliseconds of a clock that only goes forward */
export function waitingAnswers(now: () => number): WaitingAnswers {
  const byTerminal = new Map<number, Map<number, { say: Say; since: number }>>()

  function forget(terminalId: number, messageId: number) {
    const messages = byTerminal.get(terminalId)
    if (messages?.delete(messageId) && messages.size === 0) byTerminal.delete(terminalId)
  }

  return {
    wait(terminalId, messageId, say) {
      const messages = byTerminal.get(terminalId) ?? new Map()
      messages.delete(messageId)
      messages.set(messageId, { say, since: now() })
      if (messages.size > waitingMax) messages.delete(messages.keys().next().value!)
      byTerminal.set(terminalId, messages)
    },
    give(answers) {
      for (const { terminalId, messageId, answer } of answers) {
        const waiting = byTerminal.get(terminalId)?.get(messageId)
        forget(terminalId, messageId)
        waiting?.say(answer)
      }
    },
    has: (terminalId, messageId) => byTerminal.get(terminalId)?.has(messageId) === true,
    olderThan(ms) {
      const found: number[] = []
      for (const [terminalId, messages] of byTerminal)
        for (const [messageId, { since }] of messages) {
          const age = now() - since
          if (age > keptMs) forget(terminalId, messageId)
          else if (age >= ms) found.push(messageId)
        }
      return found
    },
  }
}
