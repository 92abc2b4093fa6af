import { record } from '../messages/events.ts'
import { notify } from '../messages/notifications.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import { loseLoan } from './write-off.ts'

/** For loans of no unit (the columns' defaults). */
const REMINDER_HOURS = 24
const WRITE_OFF_HOURS = 48
const REMIND_ROWS = 200
const WRITE_OFF_ROWS = 100

interface Overdue {
  id: number
  userId: number
  stationId: number
  serialNumber: string | null
  /** The unit's, which the loan has outlived. */
  hours: number
}

/** Open loans older than their unit's hours, the oldest first. The bank's unit counts, else its station's (docs/contracts.md 4.10). */
const olderThan = (q: Queryable, column: 'reminder_hours' | 'write_off_hours', fallback: number) => q`
  select o.id, o.user_id, o.station_id, p.serial_number, coalesce(u.${q(column)}, ${fallback}) as hours
  from orders o join stations s on s.id = o.station_id
    left join powerbanks p on p.id = o.powerbank_id
    left join org_units u on u.id = coalesce(p.org_unit_id, s.org_unit_id)
  where o.status = 'borrow' and o.deleted_at is null
    and coalesce(o.borrowed_at, o.created_at) < now() - interval '1 hour'
    and coalesce(o.borrowed_at, o.created_at) < now() - make_interval(hours => coalesce(u.${q(column)}, ${fallback}))`

/**
 * Reminds those whose loan is older than `reminder_hours`, each loan once, however many processes do it at once.
 * @returns how many were reminded
 */
export async function remind(db: Db): Promise<number> {
  const reminded = await db.transaction(async (tx) => {
    const due = await tx<Overdue[]>`
      with due as (
        ${olderThan(tx, 'reminder_hours', REMINDER_HOURS)} and o.reminded_at is null
        order by coalesce(o.borrowed_at, o.created_at), o.id limit ${REMIND_ROWS} for update of o skip locked)
      update orders set reminded_at = now() from due where orders.id = due.id returning due.*`
    for (const { id: orderId, userId, stationId, serialNumber, hours } of due) {
      await record(tx, 'order.reminded', { stationId, userId, orderId, data: { hours } })
      await notify(tx, 'loan.reminder', [userId], { orderId, serialNumber, hours }, { key: `loan.reminder ${orderId}` })
    }
    return due.length
  })
  return reminded < REMIND_ROWS ? reminded : reminded + (await remind(db))
}

/** Loans older than `write_off_hours`, the oldest first; `writeOff` ends each. */
export function lost(q: Queryable): Promise<Overdue[]> {
  return q<Overdue[]>`
    ${olderThan(q, 'write_off_hours', WRITE_OFF_HOURS)}
    order by coalesce(o.borrowed_at, o.created_at), o.id limit ${WRITE_OFF_ROWS}`
}

/**
 * Gives one loan up: its bank is written off as lost, its order closed, its user told. Of two at once one does it; a bank
 * that came back meanwhile stays in service.
 * @returns false when the loan has ended
 */
export async function writeOff(tx: Tx, { id: orderId, userId, serialNumber, hours }: Overdue): Promise<boolean> {
  if (!(await loseLoan(tx, null, orderId, `not returned within ${hours} hours`))) return false
  await notify(
    tx,
    'loan.written_off',
    [userId],
    { orderId, serialNumber, hours },
    { key: `loan.written_off ${orderId}` },
  )
  return true
}
