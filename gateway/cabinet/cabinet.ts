import { afterwards } from '../../db/powerbank/aftermath.ts'
import { unspeakable } from '../../db/powerbank/answers.ts'
import { close } from '../../db/powerbank/cabinets.ts'
import { sweep } from '../../db/powerbank/janitor.ts'
import { holdStations } from '../../db/powerbank/station-lock.ts'
import type { DeviceHandlers } from '../device-handlers.ts'
import { handle } from './reports.ts'

/** What a cabinet says and does not say, over any transport. Its station's id is its device's. */
export const cabinet: Omit<DeviceHandlers, 'recognise'> = {
  kind: 'cabinet',
  handle,
  unspeakable,
  ended: afterwards,
  close: (tx, { deviceId, ...departure }) => close(tx, { stationId: deviceId, ...departure }),
  sweep,
  hold: holdStations,
}
