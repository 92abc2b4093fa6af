import type { Change } from '../../../db/paygo/decide/changes.ts'
import { decide } from '../../../db/paygo/decide/decide.ts'
import type {
  Answer,
  Figures,
  Original,
  Report,
  Snapshot,
  TerminalReport,
  Transaction,
} from '../../../db/paygo/decide/snapshot.ts'
import type { Act } from '../../../db/paygo/words.ts'

/** An act that the acquirer was told, and what it has come to with us. */
interface ActRow {
  id: number
  transactionId: number
  act: Act
  amountMinor: number
  isOpen: boolean
}

/** What the acquirer really has. A reversal is final there: what comes after it is refused. */
interface Held {
  heldMinor: number
  takenMinor: number
  refundedMinor: number
  isReversed: boolean
}

/** A message as it was first said. */
interface Message {
  content: string
  kind: TerminalReport['kind']
  transactionId: number | null
  answer: Answer | null
}

const noFigures = (): Figures => ({
  ...{ credits: 0, creditsReversed: 0, debits: 0, debitsReversed: 0 },
  ...{ creditsMinor: 0, creditsReversedMinor: 0, debitsMinor: 0, debitsReversedMinor: 0 },
})

/** One terminal, the database as the decisions see it, and an acquirer that loses, delays and repeats. */
export const build = () => ({
  messages: new Map<string, Message>(),
  transactions: new Map<number, Transaction>(),
  /** Which message began a transaction. */
  origins: new Map<number, string>(),
  /** The originals that a reversal was accepted for. */
  reversed: new Map<string, number>(),
  acts: [] as ActRow[],
  /** What the acquirer said to each number: it does each once. */
  results: new Map<number, 'approved' | 'declined'>(),
  /** Told and not yet heard by the acquirer; answered and not yet heard by us; asked. */
  requests: [] as ActRow[],
  answers: [] as { row: ActRow; result: 'approved' | 'declined' }[],
  asked: [] as number[],
  acquirer: new Map<number, Held>(),
  posted: new Map<number, number>(),
  ours: noFigures(),
  /** Deposits that the house let go. */
  released: new Set<number>(),
  exceptions: 0,
  /** What a decision did that no writer could. */
  faults: [] as string[],
})
export type State = ReturnType<typeof build>

/** What a terminal says, under a STAN; `about`: the message that a completion names. */
export interface Saying {
  stan: string
  report: TerminalReport
  about?: string
}

const mtiOf = { purchase: '0200', authorisation: '0100', advice: '0220' }
/** A message by its MTI, STAN and field 7, which here is the same for all. */
export const nameOf = ({ mti, stan }: Pick<Original, 'mti' | 'stan'>) => `${mti}:${stan}`
const isSale = (kind: string): kind is keyof typeof mtiOf => kind in mtiOf

const transactionOf = ({ origins, transactions }: State, name: string | undefined): Transaction | null => {
  const [id] = [...origins].find(([, origin]) => origin === name) ?? []
  return (id !== undefined && transactions.get(id)) || null
}

function answer(state: State, message: Message | undefined, { code, approval, rrn }: Answer) {
  if (!message) state.faults.push('an answer to nothing')
  else if (message.answer) state.faults.push(`${message.answer.code} answered again with ${code}`)
  else message.answer = { code, ...(approval && { approval }), ...(rrn && { rrn }) }
}

function bump(figures: Figures, figure: 'debits' | 'debitsReversed' | 'credits', amountMinor: number) {
  figures[figure] += 1
  figures[`${figure}Minor`] += amountMinor
}

/** Makes the changes true as a writer would. @param key the message at hand, and the name it begins a transaction under */
function apply(state: State, changes: Change[], at?: { key: string; name: string; saying: Saying }, isRepeat = false) {
  for (const change of changes) {
    switch (change.kind) {
      case 'begin': {
        const report = at!.saying.report as Extract<TerminalReport, { kind: 'purchase' | 'authorisation' | 'advice' }>
        const id = state.transactions.size + 1
        const { kind, amountMinor } = report
        const { status, act, isCounted } = change
        state.transactions.set(id, {
          ...{ id, kind, saidMinor: amountMinor, amountMinor, status, act, actMinor: amountMinor, isCounted },
          ...{ isGivenUp: false, bookedMinor: 0, refundedMinor: 0 },
        })
        state.origins.set(id, at!.name)
        state.messages.get(at!.key)!.transactionId = id
        tell(state, id, act, amountMinor)
        break
      }
      case 'move': {
        const { kind: _, id, ...changed } = change
        const row = state.transactions.get(id)!
        if (changed.act !== undefined) for (const row of state.acts) if (row.transactionId === id) row.isOpen = false
        Object.assign(row, changed)
        break
      }
      case 'tell':
        tell(state, change.id, change.act, change.amountMinor)
        break
      case 'answer': {
        if (change.to === 'this') {
          if (!isRepeat) answer(state, state.messages.get(at!.key), change)
        } else
          answer(
            state,
            [...state.messages.values()].find(({ transactionId }) => transactionId === change.to),
            change,
          )
        break
      }
      case 'tell_again':
        state.requests.push(state.acts.findLast(({ transactionId }) => transactionId === change.id)!)
        break
      case 'ask':
        state.asked.push(change.id)
        break
      case 'post': {
        const sign = { hold: 1, take: 1, capture: 0, give_back: -1 }[change.entry]
        state.posted.set(change.id, (state.posted.get(change.id) ?? 0) + sign * change.amountMinor)
        break
      }
      case 'count':
        bump(state.ours, change.figure, change.amountMinor)
        break
      case 'remember':
        state.reversed.set(nameOf(change.original), change.amountMinor)
        break
      case 'close_batch':
        state.ours = noFigures()
        break
      case 'exception':
        state.exceptions += 1
        break
      case 'refused':
        break
    }
  }
}

function tell(state: State, transactionId: number, act: Act, amountMinor: number) {
  const row: ActRow = { id: state.acts.length + 1, transactionId, act, amountMinor, isOpen: true }
  state.acts.push(row)
  state.requests.push(row)
}

/** A terminal says something, perhaps again. @returns the answer it has, now or from before */
export function say(state: State, saying: Saying): Answer | null {
  const { stan, report, about } = saying
  const content = JSON.stringify(saying)
  // An advice may have the STAN of its purchase; both are kept.
  const first = state.messages.get(stan)
  const own = report.kind === 'advice' ? state.messages.get(`advice ${stan}`) : undefined
  const isBeside = report.kind === 'advice' && !report.isAbout && !own && first?.kind === 'purchase'
  const before = own ?? first
  const isNew = !before || isBeside
  const key = isBeside ? `advice ${stan}` : stan
  if (isNew) state.messages.set(key, { content, kind: report.kind, transactionId: null, answer: null })
  const name = isSale(report.kind) ? nameOf({ mti: mtiOf[report.kind], stan }) : ''
  const original = report.kind === 'reversal' ? nameOf(report.original) : name
  const sameStan = report.kind === 'advice' ? transactionOf(state, nameOf({ mti: '0200', stan })) : null
  const snapshot: Snapshot = {
    said: before ? { isSame: before.content === content, kind: before.kind, answer: before.answer } : null,
    transaction: sameStan ?? transactionOf(state, about ?? original),
    isReversed: state.reversed.has(original),
    figures: state.ours,
  }
  const changes = decide(snapshot, report)
  apply(state, changes, { key, name, saying }, !isNew)
  const answered = changes.find((change) => change.kind === 'answer' && change.to === 'this')
  return answered?.kind === 'answer' ? answered : ((own ?? state.messages.get(key))?.answer ?? null)
}

const about = (transaction: Transaction): Snapshot => ({ said: null, transaction, isReversed: false, figures: null })

/** What means something for a transaction, and no terminal says. */
export function report(state: State, id: number, said: Report): Change[] {
  const changes = decide(about(state.transactions.get(id)!), said)
  apply(state, changes)
  return changes
}

/** The acquirer hears the request at that place. */
export function hear(state: State, place: number, isWilling: boolean): void {
  const [row] = state.requests.splice(place % state.requests.length, 1)
  const { transactionId, act, amountMinor } = row!
  const held = state.acquirer.get(transactionId) ?? { heldMinor: 0, takenMinor: 0, refundedMinor: 0, isReversed: false }
  state.acquirer.set(transactionId, held)
  const can = {
    purchase: () => !held.isReversed && isWilling,
    authorise: () => !held.isReversed && isWilling,
    capture: () => held.heldMinor >= amountMinor,
    reverse: () => held.refundedMinor === 0,
    refund: () => !held.isReversed && held.takenMinor - held.refundedMinor >= amountMinor && isWilling,
  }[act]
  const before = state.results.get(row!.id)
  const result = before ?? (can() ? 'approved' : 'declined')
  state.results.set(row!.id, result)
  if (!before && result === 'approved') {
    if (act === 'purchase') held.takenMinor = amountMinor
    else if (act === 'authorise') held.heldMinor = amountMinor
    else if (act === 'capture') Object.assign(held, { heldMinor: 0, takenMinor: amountMinor })
    else if (act === 'refund') held.refundedMinor += amountMinor
    else Object.assign(held, { heldMinor: 0, takenMinor: 0, isReversed: true })
  }
  state.answers.push({ row: row!, result })
}

/** We hear the answer at that place; `keep`: it is going to be said again. */
export function hearAnswer(state: State, place: number, keep: boolean): void {
  const at = place % state.answers.length
  const { row, result } = state.answers[at]!
  if (!keep) state.answers.splice(at, 1)
  const { act, amountMinor, isOpen } = row
  report(state, row.transactionId, { kind: 'outcome', act, amountMinor, isOpen, result, approval: 'A1B2C3' })
}

/** The time of an act that nobody answered is over. */
export function fallSilent(state: State, id: number): void {
  const { act, actMinor } = state.transactions.get(id)!
  if (act) report(state, id, { kind: 'outcome', act, amountMinor: actMinor, isOpen: true, result: 'silent' })
}

/** The acquirer says what it has, or nothing. */
export function askState(state: State, place: number, isSilent: boolean): void {
  const [id] = state.asked.splice(place % state.asked.length, 1)
  const held = state.acquirer.get(id!)
  const known = isSilent
    ? 'silent'
    : !held
      ? 'none'
      : held.isReversed
        ? 'reversed'
        : held.takenMinor > 0
          ? 'taken'
          : held.heldMinor > 0
            ? 'held'
            : 'none'
  const amountMinor = (held?.takenMinor || held?.heldMinor) ?? 0
  report(state, id!, { kind: 'state', known, amountMinor, refundedMinor: held?.refundedMinor ?? 0 })
}

/** What the terminal counts, by its own messages: what was approved, and twice what it has reversed (docs/protocol.md 7.7). */
export function countedByTerminal({ messages, origins, reversed }: State): Figures {
  const figures = noFigures()
  const said = [...messages.values()].filter(({ answer }) => answer?.code === '00')
  const sayings = said.map(({ content, transactionId }) => ({ ...(JSON.parse(content) as Saying), transactionId }))
  for (const name of new Set([...origins.values(), ...reversed.keys()])) {
    const [id] = [...origins].find(([, origin]) => origin === name) ?? []
    const debit = sayings.find(
      ({ about, transactionId, report }) =>
        about === name || (id !== undefined && transactionId === id && report.kind !== 'authorisation'),
    )
    const wasDebit = debit && 'amountMinor' in debit.report ? debit.report.amountMinor : undefined
    const reversedMinor = reversed.get(name)
    const amountMinor = wasDebit ?? (name.startsWith('0100') ? undefined : reversedMinor)
    if (amountMinor === undefined) continue
    bump(figures, 'debits', amountMinor)
    if (reversedMinor !== undefined) bump(figures, 'debitsReversed', amountMinor)
  }
  return figures
}
