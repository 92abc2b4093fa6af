import type { Event } from '../../../db/messages/events.ts'
import { toUnits } from '../../money.ts'
import { terminals, transactions } from '../surface.ts'

/** Whether an event is a move of a payment that its clients can see. */
export const isTransaction = ({ kind }: Event) => /^transaction\.(?!exception$)/.test(kind)

/** A hold is nothing that clients of the document know. */
export const shownStatus = (status: unknown) => (status === 'authorised' ? 'pending' : status)

/** A payment as it was when it moved; never whose, and never of which card. */
export const transaction = ({ data }: Event) => ({
  id: transactions.spell(data.transactionId),
  terminal_id: terminals.spellOrNull(data.terminalId),
  status: shownStatus(data.status),
  amount: toUnits(data.amountMinor),
  refunded_amount: toUnits(data.refundedMinor),
})
