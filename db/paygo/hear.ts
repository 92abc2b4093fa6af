import type { Tx } from '../postgres/connect.ts'
import * as acts from './acts.ts'
import type { Answered } from './answers.ts'
import { BEGUN, tellBegun, write } from './change-writer.ts'
import type { Change, ChangeOf } from './decide/changes.ts'
import { decide } from './decide/decide.ts'
import { type AtHand, atHand } from './snapshot-loader.ts'
import {
  type AdviceMessage,
  contentHash,
  dayOf,
  methodOf,
  mtis,
  reportOf,
  type SaleMessage,
  type TerminalMessage,
} from './terminal-messages.ts'

/** What came of a message. */
export interface Heard {
  messageId: number
  /** What began with it. */
  transactionId: number | null
  /** Null: the acquirer decides; `settle` says what it was, or whoever settles it, by TERMINAL_ANSWER_CHANNEL. */
  answer: Answered['answer'] | null
  /** What the acquirer is to be told once this is committed: for `settle`. */
  told: number[]
  /** Other messages that have their answer now: what a reversal makes an end of does not wait any longer. */
  answers: Answered[]
}

interface Spoken {
  terminalId: number
  message: TerminalMessage
  day: string
  isAbout: boolean
  answer: Answered['answer'] | null
}

/** SQL: the columns of the row of a message, but for its transaction. */
const messageRow = (tx: Tx, { terminalId, message, day, isAbout, answer }: Spoken) => tx`
  ${terminalId}, ${day}, ${message.stan}, ${isAbout}, ${message.kind}, ${contentHash(message)},
  ${answer && tx.json(answer)}::jsonb, case when ${answer !== null} then now() end`

/** A transaction begins, with the act that the acquirer is told and the message that asked for it: one statement. */
async function begin(tx: Tx, spoken: Spoken, { status, act, isCounted }: ChangeOf<'begin'>) {
  const message = spoken.message as SaleMessage | AdviceMessage
  const { kind, amountMinor, card, stan, sentAt, localTime, entryMode, condition, merchant = null } = message
  const approval = message.kind === 'advice' ? (message.approval ?? null) : null
  const [row] = await tx<{ messageId: number; transactionId: number; actId: number }[]>`
    with owner as (
      select id, user_id from payment_cards where fingerprint = ${card.fingerprint} and deleted_at is null
      order by id limit 1),
    t as (
      insert into transactions (terminal_id, user_id, card_id, kind, status, said_minor, amount_minor, act, act_minor,
        is_counted, payment_method, card_masked, card_fingerprint, mti, stan, day, sent_at, local_time, entry_mode,
        condition, merchant, approval, code)
      values (${spoken.terminalId}, (select user_id from owner), (select id from owner), ${kind}, ${status}, ${amountMinor},
        ${amountMinor}, ${act}, ${amountMinor}, ${isCounted}, ${methodOf(entryMode)}, ${card.masked}, ${card.fingerprint},
        ${mtis[kind]}, ${stan}, ${spoken.day}, ${sentAt}, ${localTime}, ${entryMode}, ${condition}, ${merchant}, ${approval},
        ${spoken.answer?.code ?? null})
      returning ${tx(BEGUN)}),
    m as (
      insert into terminal_messages (terminal_id, day, stan, is_about, kind, content_hash, answer, answered_at, transaction_id)
      select ${messageRow(tx, spoken)}, t.id from t returning id),
    a as (
      insert into acquirer_acts (transaction_id, act, amount_minor, due_at)
      select t.id, ${act}, ${amountMinor}, ${acts.lease(tx)} from t returning id),
    told as (${tellBegun(tx)})
    select m.id as message_id, t.id as transaction_id, a.id as act_id from m, t, a`
  const { messageId, transactionId, actId } = row!
  return { messageId, transactionId, told: [actId] }
}

async function keep(tx: Tx, spoken: Spoken) {
  const [row] = await tx<{ id: number }[]>`
    insert into terminal_messages (terminal_id, day, stan, is_about, kind, content_hash, answer, answered_at)
    values (${messageRow(tx, spoken)}) returning id`
  return { messageId: row!.id, transactionId: null, told: [] }
}

function answerIn(changes: readonly Change[]): Answered['answer'] | null {
  const found = changes.find((change) => change.kind === 'answer' && change.to === 'this')
  if (found?.kind !== 'answer') return null
  const { kind: _, to: __, ...answer } = found
  return answer
}

/** It is new, or stands beside what was said. */
async function work(tx: Tx, spoken: Spoken, { transaction }: AtHand, changes: readonly Change[]): Promise<Heard> {
  const { terminalId, answer } = spoken
  const beginning = changes.find((change) => change.kind === 'begin')
  const [said, written] = await Promise.all([
    beginning ? begin(tx, spoken, beginning) : keep(tx, spoken),
    write(tx, { terminalId, transaction, outcome: null }, changes),
  ])
  return { ...said, answer, told: [...said.told, ...written.told], answers: written.answers }
}

/**
 * What a terminal says of money (docs/protocol.md 7.5) becomes rows, and nothing is asked of the acquirer yet: that is
 * `settle`, after the commit. Said again it hears what it was answered, said otherwise under the same STAN 94. Locks the
 * terminal, then books (docs/decisions.md "Everything on a cabinet locks in one order").
 * @param refusal with which our side declines a new sale
 */
export async function hear(tx: Tx, terminalId: number, message: TerminalMessage, refusal?: string): Promise<Heard> {
  const day = dayOf(message, new Date())
  const at = await atHand(tx, terminalId, message, day)
  const changes = decide(at.snapshot, reportOf(message, refusal))
  const answer = answerIn(changes)
  if (at.before) return { messageId: at.before.id, transactionId: null, answer, told: [], answers: [] }
  return await work(tx, { terminalId, message, day, isAbout: at.isAbout, answer }, at, changes)
}
