import { iccidOf } from '../../protocol/iccid.ts'
import { record } from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'

/** A SIM that was read longer ago than this is asked for at the cabinet's next login. */
const READ_AGAIN_HOURS = 24

/** SQL: is it time to ask the cabinet behind this `stations` row (alias `s`) for its SIM? Never read is too. */
export const isStale = (q: Queryable) => q`
  (s.iccid is null or coalesce((s.device_state->'sim'->>'at')::timestamptz < now() - make_interval(hours => ${READ_AGAIN_HOURS}), true))`

/**
 * A cabinet has said which SIM it has. Kept with the time; that it is another card than the one known before is an event,
 * for it is a card moved or a cabinet replaced. Another spelling of the same card is none.
 * @param iccid in the one spelling (protocol/iccid.ts); empty: it could not read it, which proves nothing
 * @param by how it was said
 */
export async function learn(
  tx: Tx,
  station: { id: number } | { boxId: string },
  iccid: string,
  by: 'answer' | 'bootstrap',
): Promise<void> {
  if (iccid === '') return
  const isIt = 'id' in station ? tx`id = ${station.id}` : tx`box_id = ${station.boxId}`
  const [known] = await tx<{ id: number; iccid: string | null }[]>`
    select id, iccid from stations where ${isIt} and deleted_at is null for no key update`
  if (!known) return
  await tx`
    update stations set iccid = ${iccid}, updated_at = now(),
      device_state = device_state || ${tx.json({ sim: { at: new Date().toISOString() } })}
    where id = ${known.id}`
  const before = known.iccid === null ? null : (iccidOf(known.iccid) ?? known.iccid)
  if (before !== null && before !== iccid)
    await record(tx, 'station.sim_changed', { stationId: known.id, data: { from: before, to: iccid, by } })
}
