import { readFileSync } from 'node:fs'

/** One captured or published frame; `decoded` and `verify` as the collection has them. */
export interface Vector {
  name: string
  dialect: 'A' | 'B' | null
  kind: 'frame' | 'stream' | 'negative'
  command: string | null
  direction: 'device->server' | 'server->device'
  hex: string
  decoded: { payload?: Record<string, any>; payloadHex?: string; token?: string; vsn?: number; frameHex?: string[] }
  verify: { length_ok: boolean; checksum_ok: boolean }
  source: string
}

export const vectors: Vector[] = JSON.parse(
  readFileSync(new URL('../vectors/cabinet-tcp.json', import.meta.url), 'utf8'),
)

/** Whole frames; one in the collection has a wrong length and is a negative in all but its mark. */
export const frames = vectors.filter(({ kind, verify }) => kind === 'frame' && verify.length_ok)
export const streams = vectors.filter(({ kind }) => kind === 'stream')
export const negatives = vectors.filter(({ kind, verify }) => kind !== 'stream' && !verify.length_ok)

/** How often public logs show a frame. */
export const seen = ({ source }: Vector) => Number(/seen (\d+) times/.exec(source)?.[1] ?? 1)

const record = (dialect: 'A' | 'B', slot: Record<string, any>) =>
  dialect === 'A' || slot.status === undefined
    ? { slot: slot.slot, bankId: slot.powerBankIdHex, ...(slot.level === undefined ? {} : { bars: slot.level }) }
    : {
        slot: slot.slot,
        bankId: slot.powerBankIdHex,
        levelPercent: slot.level,
        millivolts: slot.voltage_mV,
        milliamps: slot.current_mA,
        celsius: slot.temperature_C,
        status: {
          inserted: slot.statusBits.insertionSwitch === 1,
          locked: slot.statusBits.lockStatus === 1,
          bankError: slot.statusBits.powerBankError === 1,
          chargingSwitch: slot.statusBits.chargingSwitch === 1,
          charging: slot.statusBits.chargingStatus === 1,
          typeCError: slot.statusBits.typeCError === 1,
          lightningError: slot.statusBits.lightningError === 1,
          microUsbError: slot.statusBits.microUsbError === 1,
        },
        sohPercent: slot.soh,
      }

const result = (payload: Record<string, any>, names: string[]) => ({ ...payload, result: names[payload.result] })

/** What the vector says was decoded, under our names. Every value of the vector is in it. */
export function bodyOf({ dialect, command, direction, decoded }: Vector): unknown {
  const payload = decoded.payload ?? {}
  const up = direction === 'device->server'
  const banks = (payload.slots ?? []).map((slot: Record<string, any>) => record(dialect ?? 'A', slot))
  const moved = { slot: payload.slot, bankId: payload.powerBankIdHex }
  switch (`${command} ${up ? 'up' : 'down'}`) {
    case '0x60 up': {
      const login = { nonce: payload.nonce, magic: Number(payload.magic), boxId: payload.boxId }
      if (dialect === 'A') return login
      return { ...login, unixSeconds: payload.timestamp, slots: payload.slotsNum, banks }
    }
    case '0x60 down':
      return result(payload, ['refused', 'accepted'])
    case '0x64 up':
      return dialect === 'A' ? { banks } : { slots: payload.slotsNum, banks }
    case '0x65 up': {
      const out = { ...moved, result: result(payload, ['failed', 'ejected']).result }
      if (dialect === 'A') return out
      const { currentSlotLockStatus: lock, adjacentSlotLockStatus: adjacentLock, trailing: unnamed } = payload
      return { ...out, lock, adjacentLock, unnamed }
    }
    case '0x66 up':
      return record(dialect ?? 'A', payload)
    case '0x66 down':
      return result(payload, ['failed', 'accepted'])
    case '0x80 up':
      return { ...moved, result: result(payload, ['failed', 'ejected']).result }
    case '0x83 up':
      return { event: payload.event, ...moved }
    case '0x63 down':
    case '0x6A up':
      return { host: payload.address, port: payload.port, heartbeatSeconds: payload.heartbeatSec }
    case '0x70 up':
      return result(payload, ['failed', 'done'])
    case '0x70 down':
    case '0x77 up':
      return { level: payload.volume }
    default:
      return payload
  }
}
