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

/** As a cabinet's first board numbers itself in all captures. */
const firstBoards = [0x01, 0x10]

/**
 * The boards from here on. How many holes follow a header is not said: as many as number themselves on, across boards and
 * modulo 256 (5.5). Null: something else stands where a board's first hole should.
 */
function boardsFrom(bytes: Buffer, from: number, first: number): Board[] | null {
  const boards: Board[] = []
  let at = from
  let expected = first
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
    // At the end of a list that began with the first hole a header may stand alone: its board is dead.
    const mayBeDead = first === 1 && boards.length > 0 && at === bytes.length
    if (holes.length === 0 && !mayBeDead) return null
    boards.push({ ...header, holes })
  } while (at < bytes.length)
  return boards
}

/**
 * A list whose first boards are dead: their headers stand there without a hole, or the list begins with the header of a
 * later board; the holes of the first that answers number themselves as ever. Null: it is none.
 */
function behindDead(bytes: Buffer): Board[] | null {
  const dead: Board[] = []
  const number = bytes[0]!
  // With the first board at its head, a list that begins at a later hole is only a part of one (old firmware).
  const isFirst = firstBoards.includes(number)
  for (let at = 0; bytes[at] === number * (dead.length + 1) && at + headerBytes < bytes.length; at += headerBytes) {
    const first = bytes[at + headerBytes]!
    const alive = dead.length > 0 || !isFirst ? unlessBroken(() => boardsFrom(bytes, at, first)) : null
    if (alive && first > 1) return [...dead, ...alive]
    dead.push({ ...decodeBody(boardHeader, bytes.subarray(at, at + headerBytes)), holes: [] })
  }
  return null
}

/** Null where the bytes end within a record. */
function unlessBroken(read: () => Board[] | null): Board[] | null {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    return null
  }
}

function readBoards(bytes: Buffer): Board[] {
  const boards = boardsFrom(bytes, 0, 1) ?? behindDead(bytes)
  if (!boards) throw new MalformedBody('a board without its holes')
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
