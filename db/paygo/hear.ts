import type { Tx } from '../postgres/connect.ts'
import * as acts from './acts.ts'
import type { Answered } from './answers.ts'
import { BEGUN, tellBegun, writeAll } from './change-writer.ts'
import type { Change } from './decide/changes.ts'
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

/** A message of a terminal. */
export interface Said {
  terminalId: number
  message: TerminalMessage
  /** With which our side declines a new sale. */
  refusal?: string | undefined
  /** Its bytes, as hex, where the transaction is not its alone (`madeTrueBy`). */
  frame?: string
}

/** One that is new, or stands beside what was said, and what was decided of it. */
interface Spoken extends Said {
  at: AtHand
  day: string
  answer: Answered['answer'] | null
  changes: readonly Change[]
}

/** The row of a message, and of the transaction that begins with it, if one does. */
function rowOf({ terminalId, message, day, frame, at, answer, changes }: Spoken) {
  const said = {
    ...{ terminal_id: terminalId, day, stan: message.stan, is_about: at.isAbout, message: message.kind, frame, answer },
    content_hash: contentHash(message),
  }
  const beginning = changes.find((change) => change.kind === 'begin')
  if (!beginning) return said
  const { kind, amountMinor, card, sentAt, localTime, entryMode, condition, merchant } = message as
    | SaleMessage
    | AdviceMessage
  return {
    ...said,
    ...{ kind, amount: amountMinor, status: beginning.status, act: beginning.act, is_counted: beginning.isCounted },
    ...{ card_masked: card.masked, card_fingerprint: card.fingerprint, mti: mtis[kind], sent_at: sentAt },
    ...{ local_time: localTime, entry_mode: entryMode, method: methodOf(entryMode), condition, merchant },
    approval: message.kind === 'advice' ? message.approval : undefined,
  }
}

interface Kept {
  terminalId: number
  messageId: number
  transactionId: number | null
  actId: number | null
}

/** Messages, the transactions that begin with them and the acts that the acquirer is told: one statement, whatever they are. */
const keep = (tx: Tx, spoken: readonly Spoken[]) => tx<Kept[]>`
  with said as (
    select * from jsonb_to_recordset(${tx.json(spoken.map(rowOf))}) as i (terminal_id bigint, day date, stan text,
      is_about boolean, message text, content_hash text, frame text, answer jsonb, kind text, amount bigint, status text,
      act text, is_counted boolean, card_masked text, card_fingerprint text, mti text, sent_at text, local_time text,
      entry_mode text, method text, condition text, merchant text, approval text)),
  t as (
    insert into transactions (terminal_id, user_id, card_id, kind, status, said_minor, amount_minor, act, act_minor,
      is_counted, payment_method, card_masked, card_fingerprint, mti, stan, day, sent_at, local_time, entry_mode,
      condition, merchant, approval, code)
    select terminal_id, owner.user_id, owner.id, kind, status, amount, amount, act, amount, is_counted, method, card_masked,
      card_fingerprint, mti, stan, day, sent_at, local_time, entry_mode, condition, merchant, approval, answer->>'code'
    from said left join lateral (
      select id, user_id from payment_cards where fingerprint = card_fingerprint and deleted_at is null
      order by id limit 1) owner on true
    where act is not null
    returning ${tx([...BEGUN, 'act'])}),
  m as (
    insert into terminal_messages (terminal_id, day, stan, is_about, kind, content_hash, answer, answered_at, transaction_id)
    select terminal_id, day, stan, is_about, message, content_hash, answer,
      case when answer is not null then now() end, t.id
    from said left join t using (terminal_id)
    returning id, terminal_id, transaction_id),
  a as (
    insert into acquirer_acts (transaction_id, act, amount_minor, due_at)
    select id, act, amount_minor, ${acts.lease(tx)} from t returning id, transaction_id),
  told as (${tellBegun(tx, tx`(select said.frame from said where said.terminal_id = t.terminal_id)`)})
  select m.terminal_id, m.id as message_id, m.transaction_id, a.id as act_id from m left join a using (transaction_id)`

function answerIn(changes: readonly Change[]): Answered['answer'] | null {
  const found = changes.find((change) => change.kind === 'answer' && change.to === 'this')
  if (found?.kind !== 'answer') return null
  const { kind: _, to: __, ...answer } = found
  return answer
}

/** @returns by terminal */
async function work(tx: Tx, spoken: readonly Spoken[]): Promise<Map<number, Heard>> {
  if (spoken.length === 0) return new Map()
  const [kept, written] = await Promise.all([
    keep(tx, spoken),
    writeAll(
      tx,
      spoken.map(({ terminalId, frame, at, changes }) => ({
        subject: { terminalId, transaction: at.transaction, outcome: null, frame },
        changes,
      })),
    ),
  ])
  const rows = new Map(kept.map((row) => [row.terminalId, row]))
  return new Map(
    spoken.map(({ terminalId, answer }, n) => {
      const { messageId, transactionId, actId } = rows.get(terminalId)!
      const { told, answers } = written[n]!
      return [terminalId, { messageId, transactionId, answer, told: actId === null ? told : [actId, ...told], answers }]
    }),
  )
}

/**
 * What terminals say of money (docs/protocol.md 7.5), one message of each, becomes rows, and nothing is asked of the acquirer
 * yet: that is `settle`, after the commit. Said again it hears what it was answered, said otherwise under the same STAN 94. Locks
 * the terminals, then books (docs/decisions.md "Everything on a cabinet locks in one order").
 * @returns in the order of what was said
 */
export async function hearAll(tx: Tx, some: readonly Said[]): Promise<Heard[]> {
  const now = new Date()
  const sayings = some.map((said) => ({ ...said, day: dayOf(said.message, now) }))
  const known = await atHand(tx, sayings)
  const decided = sayings.map((said, n): Spoken => {
    const at = known[n]!
    const changes = decide(at.snapshot, reportOf(said.message, said.refusal))
    return { ...said, at, changes, answer: answerIn(changes) }
  })
  const worked = await work(
    tx,
    decided.filter(({ at }) => at.before === null),
  )
  return decided.map(
    ({ terminalId, at, answer }) =>
      worked.get(terminalId) ?? { messageId: at.before!.id, transactionId: null, answer, told: [], answers: [] },
  )
}

/** The same of one. @param refusal with which our side declines a new sale */
export const hear = async (tx: Tx, terminalId: number, message: TerminalMessage, refusal?: string): Promise<Heard> =>
  (await hearAll(tx, [{ terminalId, message, refusal }]))[0]!
