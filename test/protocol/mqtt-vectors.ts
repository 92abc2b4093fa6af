import { readFileSync } from 'node:fs'

type Decoded = Record<string, any>

/** One captured or published frame, command or signature; `decoded` and `verify` as the collection has them. */
export interface MqttVector {
  name: string
  family: 'cabinet-mqtt' | 'cabinet-http'
  kind: 'frame' | 'json' | 'signature'
  command: string
  hex: string
  text?: string
  decoded: Decoded
  verify: { length_ok?: boolean; checksum_ok?: boolean; computed_checksum?: string }
}

export const vectors: MqttVector[] = JSON.parse(
  readFileSync(new URL('../vectors/cabinet-mqtt.json', import.meta.url), 'utf8'),
)

const of = (kind: MqttVector['kind']) => vectors.filter((vector) => vector.kind === kind)
export const frames = of('frame')
export const commands = of('json')
export const signatures = of('signature')

const bits = ['microSwitch', 'solenoid', 'bit5', 'bit4', 'bit3', 'bit2', 'bit1', 'bit0']
const states = ['empty', 'normal']

const hole = (one: Decoded) => ({
  hole: one.holeIndex,
  state: states[one.state] ?? `unexpected ${one.state}`,
  reserved: one.undefined1,
  batteryRaw: one.batteryVolRaw,
  area: one.area,
  sn: Number(one.powerbankSN),
  levelPercent: one.soc,
  celsius: one.temperature,
  decivolts: one.chargeVoltRaw,
  deciamps: one.chargeCurrRaw,
  software: one.softVersion,
  sensors: Object.fromEntries(bits.map((bit, at) => [bit, (one.sensor & (0x80 >> at)) !== 0])),
})

const board = (one: Decoded) => ({
  board: one.controlIndex,
  reserved: one.undefined1,
  config: one.undefined2,
  celsius: one.temperature,
  software: one.softVersion,
  hardware: one.hardVersion,
  // The largest frame is given by its boards' first and last holes.
  holes: one.holes?.map(hole) ?? { count: one.holeCount, first: one.firstHole, last: one.lastHole },
})

/** What the vector says was decoded, under our names. Every value of the vector is in it. */
export function bodyOf({ command, decoded }: MqttVector): unknown {
  const sn = Number(decoded.powerbankSN)
  const at = { board: decoded.controlIndex, hole: decoded.holeIndex }
  switch (command) {
    case '0x10':
      return { boards: decoded.controlBoards.map(board) }
    case '0x31':
      return { hole: decoded.byte4, sn, state: 'ejected', reserved: decoded.reserved }
    case '0x21':
      return { ...at, state: 'ejected', reserved: decoded.reserved }
    case '0x40':
      return {
        ...at,
        area: decoded.area,
        sn,
        state: 'returned',
        software: decoded.softVersion,
        levelPercent: decoded.soc,
      }
    case '0x28': {
      const measured = { levelPercent: decoded.soc, celsius: decoded.temperature, decivolts: decoded.chargeVoltRaw }
      const versions = { software: decoded.softVersion, hardware: decoded.hardVersion }
      const reserved = { reserved1: 0, reserved2: 0 }
      return {
        ...at,
        state: 'returned',
        ...reserved,
        area: decoded.area,
        sn,
        ...measured,
        deciamps: decoded.chargeCurrRaw,
        ...versions,
      }
    }
    case '0x7A':
      return { board: decoded.controlIndex, status: decoded.signal }
    default:
      throw new Error(`nobody has said what ${command} says`)
  }
}
