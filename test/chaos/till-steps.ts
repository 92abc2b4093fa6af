import { after, before, type Step } from './steps.ts'

const fromTerminal = (mti: string) => ({ wire: 'terminal', way: 'to the house', what: new RegExp(`^${mti}$`) }) as const
const toTerminal = (mti: string) => ({ wire: 'terminal', way: 'from the house', what: new RegExp(`^${mti}$`) }) as const
const toClient = { wire: 'http', way: 'from the house', what: /^HTTP\/1.1 20\d .*\/refund/ } as const

/** What a transaction has written: its statements and values, which are JSON, stand one below the other. */
const begun = (kind: string) => new RegExp(`^commit.*"kind":"${kind}","amount":\\d+,"status":"pending"`, 's')
const heard = (kind: string) => new RegExp(`^commit.*insert into terminal_messages.*"message":"${kind}"`, 's')
const told = (act: string) => new RegExp(`^commit.*insert into acquirer_acts.*"act":"${act}"`, 's')
const cameTo = (status: string) => new RegExp(`^commit.*"transaction\\.${status}"`, 's')
/** The acquirer's own memory: before it, it has heard nothing; after it, it has done it and the house does not know. */
const done = /insert into simulated_acquirer/
const doneAgain = /^commit.*update simulated_acquirer/s
const closed = /^commit.*update terminal_batches set closed_at/s
const outcome = cameTo('(?:completed|authorised)')

/** Every step of a terminal's money between two of its messages, of a refund, and of a settlement, in order. */
export const tillSteps: readonly Step[] = (
  [
    { name: 'purchase on the wire', ...fromTerminal('0200') },
    { name: 'purchase not committed', ...before(begun('purchase')) },
    { name: 'purchase committed, house unaware', ...after(begun('purchase')) },
    { name: 'acquirer not told', ...before(done) },
    { name: 'acquirer has done it, house unaware', ...after(done) },
    { name: 'outcome not committed', ...before(outcome) },
    { name: 'outcome committed, house unaware', ...after(outcome) },
    { name: 'purchase answer on the wire', ...toTerminal('0210') },
    { name: 'purchase answered', ...toTerminal('0210'), arrives: true },
    { name: 'hold not committed', ...before(begun('authorisation')) },
    { name: 'hold answer on the wire', ...toTerminal('0110') },
    { name: 'completion not committed', ...before(told('capture')) },
    { name: 'completion committed, house unaware', ...after(told('capture')) },
    { name: 'capture not done', ...before(doneAgain) },
    { name: 'capture done, house unaware', ...after(doneAgain) },
    { name: 'advice on the wire', ...fromTerminal('0220') },
    { name: 'advice not committed', ...before(begun('advice')) },
    { name: 'advice committed, house unaware', ...after(begun('advice')) },
    { name: 'advice answer on the wire', ...toTerminal('0230') },
    { name: 'reversal on the wire', ...fromTerminal('0400') },
    { name: 'reversal not committed', ...before(heard('reversal')) },
    { name: 'reversal committed, house unaware', ...after(heard('reversal')) },
    { name: 'reversed, house unaware', ...after(cameTo('cancelled')) },
    { name: 'reversal answer on the wire', ...toTerminal('0410') },
    { name: 'refund not committed', ...before(told('refund')) },
    { name: 'refund committed, house unaware', ...after(told('refund')) },
    { name: 'refunded, not committed', ...before(cameTo('refunded')) },
    { name: 'refunded, house unaware', ...after(cameTo('refunded')) },
    { name: 'refund answer on the wire', ...toClient },
    { name: 'totals on the wire', ...fromTerminal('0500') },
    { name: 'batch not closed', ...before(closed) },
    { name: 'batch closed, house unaware', ...after(closed) },
    { name: 'totals answer on the wire', ...toTerminal('0510') },
  ] as const
).map((step) => ({ ...step, of: 'till' }))
