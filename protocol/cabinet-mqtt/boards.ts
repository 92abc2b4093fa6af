import { MalformedBody } from '../errors.ts'
import { type Body, decodeBody, docOf, encodeBody, type Field, flags, toTheEnd, u8, u32 } from '../field.ts'
import { holeState } from './states.ts'

/** A control board's first six bytes (docs/protocol.md 5.5, 0x10). `config` may be the high byte of its area codes. */
const boardHeader = { board: u8, reserved: u8, config: u8, celsius: u8, software: u8, hardware: u8 }

/** A hole's 15 bytes. `batteryRaw` has no known unit; `area` is the low byte; 255 in `levelPercent` and `celsius`: not read. */
const holeRecord = {
  hole: u8,
  state: holeState,
  reserved: u8,
  batteryRaw: u8,
  area: u8,
  sn: u32,
  levelPercent: u8,
  celsius: u8,
  decivolts: u8,
  deciamps: u8,
  software: u8,
  sensors: flags('microSwitch', 'solenoid', 'bit5', 'bit4', 'bit3', 'bit2', 'bit1', 'bit0'),
}

const headerBytes = 6
const holeBytes = 15

/** A hole as told; its area code has 16 bits where its board has a high byte. */
export type Hole = Body<typeof holeRecord>
/** A control board and its holes. */
export type Board = Body<typeof boardHeader> & { holes: Hole[] }

// 00, 0B and FF are no high byte of an area code (5.5).
const areaHigh = (config: number) => (config === 0x00 || config === 0x0b || config === 0xff ? 0 : config << 8)

/** How many holes follow is not said: as many as number themselves on, across boards and modulo 256 (5.5). */
function readBoards(bytes: Buffer): Board[] {
  const boards: Board[] = []
  let at = 0
  let expected = 1
  do {
    const header = decodeBody(boardHeader, bytes.subarray(at, at + headerBytes))
    at += headerBytes
    const holes: Hole[] = []
    while (at < bytes.length && bytes[at] === (expected & 0xff)) {
      const hole = decodeBody(holeRecord, bytes.subarray(at, at + holeBytes))
      holes.push({ ...hole, area: areaHigh(header.config) | hole.area })
      at += holeBytes
      expected++
    }
    if (holes.length === 0) throw new MalformedBody(`a board without hole ${expected}`)
    boards.push({ ...header, holes })
  } while (at < bytes.length)
  return boards
}

function writeBoards(boards: readonly Board[], into: number[]) {
  for (const { holes, ...header } of boards) {
    into.push(...encodeBody(boardHeader, header))
    for (const hole of holes) {
      if (hole.area >> 8 !== areaHigh(header.config) >> 8) throw new RangeError(`area code ${hole.area} on this board`)
      into.push(...encodeBody(holeRecord, { ...hole, area: hole.area & 0xff }))
    }
  }
}

/** Boards to the end of the body. What is written may be a part, as old firmware answers `check`; it reads only a whole. */
export const boards: Field<Board[]> = {
  shape: { is: 'boards', board: boardHeader, hole: holeRecord },
  doc: `boards to the end, each ${docOf(boardHeader)}, and then holes as long as their numbers run on: ${docOf(holeRecord)}`,
  read: (parser, name) => toTheEnd(parser, name, readBoards),
  write: writeBoards,
}
