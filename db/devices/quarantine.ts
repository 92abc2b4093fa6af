import type { Queryable } from '../postgres/connect.ts'
import type { DeviceKind, QuarantineReason } from './words.ts'

/** Devices that dialled and are remembered; beyond, whoever has been quiet longest is forgotten. */
const QUARANTINE_ROWS_MAX = 10_000

/** A device that dialled and was not let in. */
export interface Unauthorised {
  kind?: DeviceKind
  /** Its serial. */
  boxId: string
  dialect: string
  reason: QuarantineReason
  address: string
  /** As the device told, if it did. */
  slots?: number | undefined
}

/** Keeps and counts a device that we cannot let in: an operator may approve it. */
export async function quarantine(
  q: Queryable,
  { kind = 'cabinet', boxId, dialect, reason, address, slots }: Unauthorised,
): Promise<void> {
  const [pending] = await q<{ isNew: boolean }[]>`
    insert into quarantine as known (kind, box_id, dialect, reason, address, slots)
    values (${kind}, ${boxId}, ${dialect}, ${reason}, ${address}, ${slots ?? null})
    on conflict (box_id) do update set kind = excluded.kind, dialect = excluded.dialect, reason = excluded.reason, address = excluded.address,
      slots = coalesce(excluded.slots, known.slots), attempts = known.attempts + 1, last_seen_at = now()
    returning xmax = 0 as is_new`
  if (!pending?.isNew) return
  await q`
    delete from quarantine where id in (
      select id from quarantine order by last_seen_at desc, id desc offset ${QUARANTINE_ROWS_MAX})`
}
