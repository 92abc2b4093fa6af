import { record } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'

/** What a cabinet made of a movement that said when it was given. */
interface Timed {
  commandId: number
  ok: boolean
  /** It says that the time of the command was over. */
  isTooOld: boolean
}

/**
 * A cabinet that calls a command too old whose time is not over has a clock that is wrong: it will refuse every movement,
 * and only a person can mend that. One that obeys has been mended. The caller holds the station.
 */
export async function learn(tx: Tx, stationId: number, { commandId, ok, isTooOld }: Timed): Promise<void> {
  if (isTooOld) {
    const [wrong] = await tx<{ seconds: number }[]>`
      update stations s set device_state = device_state || ${tx.json({ clock: { wrongSince: new Date() } })}
      from device_commands c
      where s.id = ${stationId} and s.device_state->'clock' is null and c.id = ${commandId} and c.given_up_at is null
      returning extract(epoch from now() - c.sent_at)::float as seconds`
    if (wrong) await record(tx, 'station.clock_wrong', { stationId, data: { commandId, seconds: wrong.seconds } })
  } else if (ok) {
    const mended = await tx`
      update stations set device_state = device_state - 'clock' where id = ${stationId} and device_state->'clock' is not null`
    if (mended.count > 0) await record(tx, 'station.clock_right', { stationId, data: { commandId } })
  }
}
