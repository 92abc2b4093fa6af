import { record } from '../messages/events.ts'
import { write } from '../paygo/change-writer.ts'
import { endHold, refund } from '../paygo/payments.ts'
import { Refused } from '../platform/refused.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import { borrow } from '../powerbank/borrow.ts'
import { decide, NOT_TAKEN_SECONDS_MAX, type Step } from './decide/decide.ts'
import { type AtHand, atHand } from './facts.ts'
import { guestOf } from './guests.ts'
import { notices, show } from './notices.ts'

// Rentals go on by themselves: what happens to a deposit or a loan is a row of theirs, and whoever finds a rental that it means
// something for takes its next step. Each step is one transaction, so a process may die between any two.

/** Whoever takes a step has so long; then anybody does. */
const LEASE_SECONDS = 20
/** Where nothing was to be done after all. */
const LOOK_AGAIN_SECONDS = 5
/** A lost bank that comes back later than this, or an order that does, is for people. */
const DOUBTFUL_DAYS = 60

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>

const tell = (tx: Tx, { id, stationId, orderId, transactionId }: AtHand, what: string, data: object) =>
  record(tx, `rental.${what}`, { stationId, orderId, data: { rentalId: id, transactionId, ...data } })

/** Something else has to happen first. */
async function wait(tx: Tx, rental: AtHand, { state }: StepOf<'wait'>): Promise<void> {
  await tx`
    update kiosk_rentals set state = ${state},
      due_at = now() + make_interval(secs => case when state = ${state} then ${LOOK_AGAIN_SECONDS} else 0 end)
    where id = ${rental.id}`
  if (state !== 'rented' || rental.state === 'rented') return
  await tell(tx, rental, 'begun', {})
  await show(tx, rental.terminalId, notices.lent(rental.slot))
}

/** The best bank is asked for, by the rules that everybody borrows by. @throws Refused */
async function lend(tx: Tx, { id, stationId, card, orgUnitId }: AtHand): Promise<void> {
  if (orgUnitId === null) throw new Refused('forbidden', 'its station has left its unit')
  const userId = await guestOf(tx, card, orgUnitId)
  const { orderId } = await borrow(tx, { userId, roles: [] }, { stationId, userId, choice: 'optimal' })
  await tx`update kiosk_rentals set order_id = ${orderId}, state = 'lending', due_at = now() where id = ${id}`
}

/** What the acquirer is to be told is a row. @returns its numbers, for after the commit */
async function settle(tx: Tx, { id, transactionId }: AtHand, step: StepOf<'settle'>): Promise<number[]> {
  const { by, amountMinor, owedMinor } = step
  const wanted = { transactionId, amountMinor, reason: `rental ${id}`, idempotencyKey: null, requestHash: null }
  const { told } =
    by === 'refund' ? await refund(tx, null, wanted) : { told: await endHold(tx, transactionId, amountMinor) }
  // The deposit has moved since it was looked at: it is looked at again.
  if (told.length === 0) return []
  await tx`
    update kiosk_rentals set state = 'settling', told = ${by}, owed_minor = ${owedMinor}, due_at = now() where id = ${id}`
  return told
}

async function end(tx: Tx, rental: AtHand, { outcome, owedMinor, exception }: StepOf<'end'>): Promise<void> {
  const { id, terminalId, transactionId } = rental
  await tx`
    update kiosk_rentals set state = 'ended', outcome = ${outcome}, owed_minor = ${owedMinor}, ended_at = now()
    where id = ${id}`
  await tell(tx, rental, 'ended', { outcome, owedMinor })
  if (outcome === 'not_lent') await show(tx, terminalId, notices.notLent)
  if (exception === undefined) return
  const told = { kind: 'exception', id: transactionId, what: exception } as const
  await write(tx, { terminalId, transaction: null, outcome: null }, [told])
}

async function take(tx: Tx, id: number): Promise<number[]> {
  const rental = await atHand(tx, id)
  if (rental.state === 'ended') return []
  const step = decide(rental.facts)
  if (step.kind === 'settle') return await settle(tx, rental, step)
  if (step.kind === 'wait') await wait(tx, rental, step)
  else if (step.kind === 'lend') await lend(tx, rental)
  else await end(tx, rental, step)
  return []
}

/** Its next step. What a cabinet cannot lend is written down, and the deposit let go by the step after it. */
export async function goOn(db: Db, id: number): Promise<number[]> {
  try {
    return await db.transaction((tx) => take(tx, id))
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    await db.sql`
      update kiosk_rentals set reason = ${error.code}, due_at = now() where id = ${id} and order_id is null`
    return []
  }
}

/** SQL: it waits for the acquirer, its cabinet or its customer (`decide`). */
const isStill = (q: Queryable) => q`(t.status = 'pending' or t.act is not null or (o.deleted_at is null and (
  o.status = 'pending' or (o.status = 'borrow' and r.state = 'rented' and t.status <> 'cancelled')
  or (o.status = 'cancelled' and o.not_taken_at > now() - make_interval(secs => ${NOT_TAKEN_SECONDS_MAX})))))`

/** Takes rentals that something is to be done about, each for one worker. */
export async function claim(q: Queryable, limit: number): Promise<number[]> {
  const rows = await q<{ id: number }[]>`
    update kiosk_rentals set due_at = now() + make_interval(secs => ${LEASE_SECONDS}) where id in (
      select r.id from kiosk_rentals r join transactions t on t.id = r.transaction_id left join orders o on o.id = r.order_id
      where r.ended_at is null and r.due_at <= now() and ${isStill(q)} is not true
      order by r.due_at, r.id limit ${limit} for update of r skip locked)
    returning id`
  return rows.map(({ id }) => id)
}

/**
 * Opens again what has ended otherwise than it was thought: a lost bank is in a cabinet, or one went out whose deposit was let go.
 * @returns how many
 */
export async function reopen(db: Db): Promise<number> {
  const { count } = await db.sql`
    update kiosk_rentals r set state = 'settling', outcome = null, ended_at = null, due_at = now(),
      recovered_at = case when outcome = 'lost' then now() end
    from orders o
    where o.id = r.order_id and r.outcome in ('lost', 'not_lent') and r.ended_at > now() - make_interval(days => ${DOUBTFUL_DAYS})
      and o.deleted_at is null and case r.outcome
        when 'lost' then exists (select from station_powerbanks sp where sp.powerbank_id = o.powerbank_id)
        else o.status <> 'cancelled' end`
  return count
}
