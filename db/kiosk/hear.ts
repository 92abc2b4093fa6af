import { type Heard, hear as hearMoney } from '../paygo/hear.ts'
import type { TerminalMessage } from '../paygo/terminal-messages.ts'
import type { Tx } from '../postgres/connect.ts'
import { currentTariff } from './current-tariff.ts'

/** Nothing can be rented here: no price is set, or the cabinet is out of use (docs/protocol.md 7.9). */
const NOT_PERMITTED = '58'
/** Less than the deposit. */
const WRONG_AMOUNT = '13'

/** Where a deposit of this terminal rents a bank; null: it is no kiosk. */
async function placeOf(tx: Tx, terminalId: number) {
  const [kiosk] = await tx<{ stationId: number; orgUnitId: number | null }[]>`
    select k.station_id, case when s.status = 'active' and s.deleted_at is null then s.org_unit_id end as org_unit_id
    from kiosks k join stations s on s.id = k.station_id
    where k.terminal_id = ${terminalId}`
  if (!kiosk) return null
  return { stationId: kiosk.stationId, tariff: await currentTariff(tx, kiosk.orgUnitId) }
}

/**
 * What a terminal says of money. At a kiosk a deposit begins a rental as well, in the same transaction: from here on it is a row
 * that goes on by itself (`rentals.ts`). A deposit that does not cover the tariff's is declined before the acquirer is asked.
 */
export async function hear(tx: Tx, terminalId: number, message: TerminalMessage): Promise<Heard> {
  const place = message.kind === 'authorisation' ? await placeOf(tx, terminalId) : null
  if (!place || message.kind !== 'authorisation') return await hearMoney(tx, terminalId, message)
  const { stationId, tariff } = place
  const isCovered = tariff !== null && message.amountMinor >= tariff.depositMinor
  const refusal = tariff === null ? NOT_PERMITTED : isCovered ? undefined : WRONG_AMOUNT
  const heard = await hearMoney(tx, terminalId, message, refusal)
  if (heard.transactionId !== null)
    await tx`
      insert into kiosk_rentals (transaction_id, station_id, tariff_id)
      values (${heard.transactionId}, ${stationId}, ${tariff!.id})`
  return heard
}
