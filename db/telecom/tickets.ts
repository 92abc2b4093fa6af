import * as identity from '../identity/identity.ts'
import { users } from '../identity/schema.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type New, type Part, type ReadBy, tableOf } from '../table.ts'
import { illegal, move, moveOf, noted, unknown } from './moving.ts'
import { Refused } from './refused.ts'
import { contracts, customers, tickets } from './schema.ts'
import { dueOf, type Place, resumedOf } from './sla.ts'
import type { TicketStatus } from './words.ts'

const nameOf = (id: typeof tickets.assignedTo | typeof tickets.createdBy) =>
  sql<string | null>`(select ${users.fullName} from ${users} where ${users.id} = ${id})`

const table = tableOf(tickets, {
  deletes: 'soft',
  newestFirst: true,
  audit: {
    surface: 'telecom',
    as: 'ticket',
    values: ['customerId', 'contractId', 'subject', 'category', 'priority', 'status'],
  },
  unknown: (id) => unknown('ticket', id),
  joins: [
    [customers, eq(customers.id, tickets.customerId)],
    [contracts, eq(contracts.id, tickets.contractId)],
  ],
  beside: {
    customerName: sql<
      string | null
    >`nullif(concat_ws(' ', ${customers.lastName}, ${customers.firstName}, ${customers.middleName}), '')`,
    contractNumber: sql<string | null>`${contracts.number}`,
    assignedToName: nameOf(tickets.assignedTo),
    createdByName: nameOf(tickets.createdBy),
    isOverdue: sql<boolean>`(${tickets.status} in ('new', 'in_progress') and ${tickets.dueAt} < now()) is true`,
  },
})
export type Ticket = ReadBy<typeof table>
export const { list, get, remove } = table

/** Tickets whose time is over while somebody should work on them. */
export const overdue = sql`${tickets.status} in ('new', 'in_progress') and ${tickets.dueAt} < now()`

/** What a body may set. */
export type Given = Pick<New<typeof tickets>, 'contractId' | 'subject' | 'description' | 'category' | 'priority'> & {
  customerId: number
}

/** @throws Refused invalid {customer}, invalid {contract}: unknown, or another customer's */
async function assertWhose(tx: Tx, customerId: number | null, contractId: number | null | undefined): Promise<void> {
  const [customer] = await tx`select from customers where id = ${customerId} and deleted_at is null for key share`
  if (!customer) throw new Refused('invalid', 'unknown', { field: 'customer', reason: 'customer_unknown' })
  if (contractId === null || contractId === undefined) return
  const [contract] = await tx<{ customerId: number }[]>`
    select customer_id from contracts where id = ${contractId} and deleted_at is null for key share`
  if (!contract) throw new Refused('invalid', 'unknown', { field: 'contract', reason: 'contract_unknown' })
  if (contract.customerId !== customerId)
    throw new Refused('invalid', 'of another', { field: 'contract', reason: 'contract_of_another' })
}

/**
 * Its term is that of its priority, which it keeps when that is changed.
 * @throws Refused invalid {customer}, invalid {contract}, conflict (calendar_missing)
 */
export async function create(tx: Tx, actor: Actor, given: Given, place: Place): Promise<Ticket> {
  await assertWhose(tx, given.customerId, given.contractId)
  const { id, createdAt, priority } = await table.create(tx, actor, { ...given, createdBy: actor.userId })
  await tx`update tickets set due_at = ${await dueOf(tx, place, createdAt, priority)} where id = ${id}`
  return await table.get(tx, actor, id)
}

/** @throws Refused not_found, invalid {customer}, invalid {contract} */
export async function change(tx: Tx, actor: Actor, id: number, given: Part<Given>): Promise<Ticket> {
  const before = await table.hold(tx, actor, id)
  const { customerId = before.customerId, contractId = before.contractId } = given
  if (customerId !== before.customerId || contractId !== before.contractId)
    await assertWhose(tx, customerId, contractId)
  return await table.change(tx, actor, id, given)
}

/**
 * The same, and perhaps on to waiting or back to work: the moves that a body may ask for.
 * @throws Refused as `change`, conflict (ticket_wait), invalid {status}
 */
export async function patch(
  tx: Tx,
  actor: Actor,
  id: number,
  given: Part<Given>,
  { status, place }: { status: TicketStatus | undefined; place: Place },
): Promise<Ticket> {
  const before = await table.hold(tx, actor, id)
  if (status !== undefined && status !== before.status) {
    if (status === 'waiting') await move(tx, actor, 'ticket', id, 'wait', stopClock(tx))
    else if (status === 'in_progress' && before.status === 'waiting')
      await move(tx, actor, 'ticket', id, 'goOn', startClock(tx, await resumedOf(tx, place, before)))
    else throw new Refused('invalid', 'not by a body', { field: 'status' })
  }
  return await change(tx, actor, id, given)
}

/** SQL: the clock of the term stands still, unless it does already. */
const stopClock = (tx: Tx) => tx`, paused_at = coalesce(paused_at, now())`
/** SQL: it goes on, until the term ends. */
const startClock = (tx: Tx, dueAt: Date | null) => tx`, due_at = ${dueAt},
  paused_seconds = paused_seconds + coalesce(extract(epoch from now() - paused_at), 0)::bigint, paused_at = null`

/** @throws Refused not_found (user_unknown: unknown, blocked, or without a place here) */
async function assertColleague(tx: Tx, userId: number): Promise<void> {
  const person = await identity.get(tx, userId)
  if (person?.status !== 'active' || !(await identity.hasPlace(tx, userId, 'telecom'))) throw unknown('user', userId)
}

/** Gives it to somebody; a new one is in progress then. @throws Refused not_found, conflict (ticket_assign) */
export async function assign(tx: Tx, actor: Actor, id: number, userId: number): Promise<{ name: string }> {
  const ticket = await table.hold(tx, actor, id)
  await assertColleague(tx, userId)
  if (!moveOf('ticket', 'assign').from.includes(ticket.status)) throw illegal('ticket', 'assign')
  await tx`
    update tickets set assigned_to = ${userId}, assigned_at = now(), updated_at = now(),
      status = case status when 'new' then 'in_progress' else status end,
      started_at = case when assigned_to = ${userId} then started_at end
    where id = ${id}`
  await noted(tx, actor, 'ticket', id, 'assign', { assignedTo: userId })
  const person = await identity.get(tx, userId)
  return { name: person!.fullName }
}

/**
 * Somebody begins to work on it, who gets it where nobody has it yet.
 * @throws Refused not_found, conflict (ticket_startWork; ticket_started: it was begun already)
 */
export async function startWork(tx: Tx, actor: Actor, id: number, place: Place): Promise<void> {
  const ticket = await table.hold(tx, actor, id)
  const { status, startedAt } = ticket
  if (status === 'in_progress' && startedAt !== null)
    throw new Refused('conflict', 'started', { reason: 'ticket_started' })
  await move(
    tx,
    actor,
    'ticket',
    id,
    'startWork',
    tx`, started_at = now(), assigned_to = coalesce(assigned_to, ${actor.userId}),
      assigned_at = coalesce(assigned_at, now()) ${startClock(tx, await resumedOf(tx, place, ticket))}`,
  )
}

/** @throws Refused not_found, conflict (ticket_resolve) */
export async function resolve(tx: Tx, actor: Actor, id: number, resolution: string): Promise<{ seconds: number }> {
  await move(tx, actor, 'ticket', id, 'resolve', tx`, resolution = ${resolution}, resolved_at = now() ${stopClock(tx)}`)
  const [taken] = await tx<{ seconds: number }[]>`
    select extract(epoch from resolved_at - created_at)::bigint as seconds from tickets where id = ${id}`
  return taken!
}

/** One that is not resolved is closed for a reason. @throws Refused not_found, conflict (ticket_close, ticket_reason_needed) */
export async function close(tx: Tx, actor: Actor, id: number, reason: string | null): Promise<void> {
  const { status } = await table.hold(tx, actor, id)
  if (status !== 'closed' && status !== 'resolved' && reason === null)
    throw new Refused('conflict', 'no reason', { reason: 'ticket_reason_needed' })
  await move(tx, actor, 'ticket', id, 'close', tx`, close_reason = ${reason}, closed_at = now() ${stopClock(tx)}`)
}

/** Work goes on, and so does its clock, which stood still meanwhile. @throws Refused not_found, conflict (ticket_reopen, calendar_missing) */
export async function reopen(tx: Tx, actor: Actor, id: number, place: Place): Promise<void> {
  const ticket = await table.hold(tx, actor, id)
  if (!moveOf('ticket', 'reopen').from.includes(ticket.status)) throw illegal('ticket', 'reopen')
  const clock = startClock(tx, await resumedOf(tx, place, ticket))
  const set = tx`, resolved_at = null, closed_at = null, close_reason = null, started_at = null ${clock}`
  await move(tx, actor, 'ticket', id, 'reopen', set)
}
