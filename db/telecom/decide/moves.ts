import type { ContractStatus, CustomerStatus, PaymentStatus, SimStatus, TicketStatus } from '../words.ts'

// The states of the business as tables: from where an act is allowed, and where it leads. What an act does beside moving
// its row is the verb's; whatever is not here is refused.

/** An act: the states it is allowed in, and the one it leads to. */
export interface Move<S extends string> {
  from: readonly S[]
  to: S
}
const moves =
  <S extends string>() =>
  <A extends string>(table: Record<A, Move<S>>): Readonly<Record<A, Move<S>>> =>
    table

export const customerMoves = moves<CustomerStatus>()({
  activate: { from: ['suspended', 'blocked', 'archived'], to: 'active' },
  suspend: { from: ['active'], to: 'suspended' },
  block: { from: ['active', 'suspended'], to: 'blocked' },
  archive: { from: ['active', 'suspended', 'blocked'], to: 'archived' },
})

export const contractMoves = moves<ContractStatus>()({
  activate: { from: ['draft'], to: 'active' },
  suspend: { from: ['active'], to: 'suspended' },
  resume: { from: ['suspended'], to: 'active' },
  terminate: { from: ['draft', 'active', 'suspended'], to: 'terminated' },
})

export const simMoves = moves<SimStatus>()({
  activate: { from: ['free'], to: 'active' },
  suspend: { from: ['active'], to: 'suspended' },
  resume: { from: ['suspended', 'blocked'], to: 'active' },
  deactivate: { from: ['active', 'suspended', 'blocked'], to: 'free' },
  block: { from: ['free', 'active', 'suspended'], to: 'blocked' },
  close: { from: ['free', 'blocked'], to: 'closed' },
})

export const paymentMoves = moves<PaymentStatus>()({
  begin: { from: ['pending'], to: 'processing' },
  process: { from: ['pending', 'processing'], to: 'success' },
  /** `process` of a refund: the money has left. */
  refund: { from: ['pending', 'processing'], to: 'refunded' },
  cancel: { from: ['pending', 'processing'], to: 'cancelled' },
  fail: { from: ['pending', 'processing'], to: 'failed' },
})

export const ticketMoves = moves<TicketStatus>()({
  /** A new one is being worked on then; another stays where it is. */
  assign: { from: ['new', 'in_progress', 'waiting'], to: 'in_progress' },
  startWork: { from: ['new', 'in_progress', 'waiting'], to: 'in_progress' },
  wait: { from: ['in_progress'], to: 'waiting' },
  goOn: { from: ['waiting'], to: 'in_progress' },
  resolve: { from: ['new', 'in_progress', 'waiting'], to: 'resolved' },
  /** One that is not resolved needs a reason. */
  close: { from: ['new', 'in_progress', 'waiting', 'resolved'], to: 'closed' },
  reopen: { from: ['resolved', 'closed'], to: 'in_progress' },
})

/** All of them, by what they move. */
export const moveTables = {
  customer: customerMoves,
  contract: contractMoves,
  sim: simMoves,
  payment: paymentMoves,
  ticket: ticketMoves,
} as const
export type Entity = keyof typeof moveTables
export type ActOf<E extends Entity> = keyof (typeof moveTables)[E] & string
