import type { Bank } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import { bankIdOf, bankOrNull, snOf } from './bank.ts'
import { type Board, boards, type Hole } from './boards.ts'
import { bare, request, uplink } from './define.ts'

const notRead = 255

/** docs/protocol.md 5.4. */
export const check = request({
  ...bare('check'),
  doc: 'What the holes hold. Old firmware lists only the five fullest banks. Within 5 s of a pop-up it may still list the bank.',
  kind: 'inventory',
  answer: 0x10,
  qos: 1,
  from: () => ({}),
  asks: () => ({ kind: 'inventory' }),
})

/** docs/protocol.md 5.4. */
export const checkAll = request({
  ...check,
  ...bare('check_all'),
  doc: 'What the holes hold, asked of old firmware.',
})

/** docs/protocol.md 5.4, 5.7. */
export const uploadAll = request({
  ...bare('upload_all'),
  doc: 'Makes the cabinet upload its 0x10 frame over HTTP; there is no answer here.',
  kind: null,
  answer: null,
  qos: 1,
})

/**
 * A hole with a bank in it. The charger's voltage is not the battery's and stays out of our words, and so does the raw
 * one; a bank in a hole that is not normal is not for rent (5.5): a fault, which passes with good readings.
 */
function bankOf({ sn, state, levelPercent, celsius, deciamps, sensors }: Hole, slot: number): Bank {
  const isLevel = levelPercent <= 100
  return {
    slot,
    bankId: bankIdOf(sn),
    ...(isLevel ? { levelPercent } : { isUnread: true as const }),
    milliamps: deciamps * 100,
    ...(celsius !== notRead && { celsius }),
    faults: {
      bank: state !== 'normal',
      typeC: state === 'type_c_short',
      lightning: false,
      microUsb: false,
    },
    charging: deciamps > 0,
    // 1 on empty holes in all captures.
    inserted: !sensors.microSwitch,
  }
}

/**
 * What a hole shows. Its switch is 1 on empty holes in every capture; add-on boards fill the serial numbers of their empty
 * holes with what is none (captured, 180 holes), so a number counts only where the state does not say `empty`.
 */
function faceOf({ sn, state, sensors }: Hole): 'bank' | 'empty' | 'unreadable' {
  if (state !== 'empty' && bankOrNull(sn) !== null) return 'bank'
  return sensors.microSwitch && (state === 'empty' || state === 'normal') ? 'empty' : 'unreadable'
}

const sensors = { microSwitch: true, solenoid: false }
const noBits = { bit5: false, bit4: false, bit3: false, bit2: false, bit1: false, bit0: false }

/** An empty hole as captured. */
const emptyHole = (hole: number): Hole => ({
  hole,
  state: 'empty',
  reserved: 0,
  batteryRaw: 0,
  area: 0,
  sn: 0,
  levelPercent: 0,
  celsius: 1,
  decivolts: 0,
  deciamps: 0,
  software: 0,
  sensors: { ...sensors, ...noBits },
})

/** A hole that is pressed, and whose bank was not read. */
const unreadHole = (hole: number): Hole => ({
  ...emptyHole(hole),
  state: 'communication_error',
  sensors: { ...sensors, microSwitch: false, ...noBits },
})

function faultState({ faults }: Bank): Hole['state'] {
  if (faults?.typeC) return 'type_c_short'
  return faults?.bank ? 'charging_abnormal' : 'normal'
}

/** The device's half of `bankOf`: a charging bank is fed 5 V. */
const holeOf = (bank: Bank): Hole => ({
  ...emptyHole(bank.slot),
  state: faultState(bank),
  batteryRaw: 226,
  sn: snOf(bank.bankId),
  levelPercent: bank.levelPercent ?? notRead,
  celsius: bank.celsius ?? notRead,
  decivolts: bank.charging ? 50 : 0,
  deciamps: Math.round((bank.milliamps ?? 0) / 100),
  software: 25,
  sensors: { microSwitch: bank.inserted === false, solenoid: false, ...noBits },
})

/** A board as captured, numbered from 1. */
const board = (number: number, holes: Hole[]): Board => ({
  board: number,
  reserved: 4,
  config: 0,
  celsius: 0,
  software: 4,
  hardware: 15,
  holes,
})

function boardsOf(holes: Hole[], perBoard: number): Board[] {
  const list: Board[] = []
  for (let at = 0; at < holes.length; at += perBoard) list.push(board(list.length + 1, holes.slice(at, at + perBoard)))
  return list
}

const exampleHoles = [1, 2, 4].map(emptyHole)
const exampleBank: Hole = {
  ...emptyHole(3),
  state: 'normal',
  batteryRaw: 226,
  area: 73,
  sn: 40818052,
  levelPercent: 100,
  celsius: 22,
  software: 25,
  sensors: { microSwitch: false, solenoid: false, ...noBits },
}

/** docs/protocol.md 5.5, 0x10. Named without `slots`, the holes of our words are all there is (old firmware's `check`). */
export const cabinetInfo = uplink({
  code: 0x10,
  name: 'cabinet_info',
  doc: 'What every hole holds: the answer to check and check_all, and the body of the HTTP upload. Serial number 0, or state `empty`: no bank.',
  kinds: ['inventory'],
  isWholeOnly: true,
  up: { boards },
  means({ boards }) {
    const holes = boards.flatMap((board) => board.holes)
    const slots = holes.at(-1)!.hole
    // As many as the platform numbers; beyond 255 they begin anew at 0, and nobody could tell two of them apart.
    if (holes.length > slots) throw new MalformedBody(`${holes.length} holes`)
    const faces = holes.map((hole) => ({ hole, slot: hole.hole, face: faceOf(hole) }))
    const unreadable = faces.filter(({ face }) => face === 'unreadable').map(({ slot }) => slot)
    const banks = faces.filter(({ face }) => face === 'bank').map(({ hole, slot }) => bankOf(hole, slot))
    const first = holes[0]!.hole
    const unknown = Array.from({ length: first - 1 }, (_, at) => at + 1)
    return {
      kind: 'inventory',
      slots,
      banks,
      ...(unreadable.length > 0 && { unreadable }),
      ...(unknown.length > 0 && { unknown }),
    }
  },
  says({ slots, banks, unreadable = [] }, { holesPerBoard }) {
    const bySlot = new Map(banks.map((bank) => [bank.slot, holeOf(bank)]))
    for (const slot of unreadable) bySlot.set(slot, unreadHole(slot))
    const every = Array.from({ length: slots ?? 0 }, (_, at) => bySlot.get(at + 1) ?? emptyHole(at + 1))
    return { boards: boardsOf(slots === undefined ? [...bySlot.values()] : every, holesPerBoard) }
  },
  examples: [
    {
      frame:
        'A800471001040000040F010000000000000000000100000080020000000000000000000100000080' +
        '030100E249026ED584641600001900040000000000000000000100000080D4',
      body: { boards: [board(1, [...exampleHoles.slice(0, 2), exampleBank, ...exampleHoles.slice(2)])] },
    },
  ],
})
