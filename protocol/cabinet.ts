/**
 * The words of a cabinet. Every dialect translates its wire into these and back; nothing behind the
 * dialects knows a byte. Sources: docs/protocol.md 2 and 3.
 */

import type { Codec as DeviceWide, Secrets } from './any-device.ts'

/**
 * A power bank's identity as the wire has it: the raw bytes in upper-case hex. Eight of them over TCP
 * (`4443484154000016`), the four of the serial number over MQTT (`026ED580`, printed as 40818048).
 */
export type BankId = string

/** One occupied slot. Only what the dialect really said is present. */
export interface Bank {
  /** 1-based. */
  slot: number
  bankId: BankId
  /**
   * 0–100. TCP-A's bars 0–4 are multiplied by 25 (docs/protocol.md 6). Absent when the dialect did not say
   * (TCP-A's return has no level) or said what no level can be.
   */
  levelPercent?: number
  millivolts?: number
  milliamps?: number
  celsius?: number
  /** Its charge was asked for and not read: not for rent until it is (docs/protocol.md 5.5). */
  isUnread?: true
  /** State of health, 0–100. */
  sohPercent?: number
  /** TCP-B status bits (section 2.6), advisory. */
  faults?: { bank: boolean; typeC: boolean; lightning: boolean; microUsb: boolean }
  charging?: boolean
  locked?: boolean
  inserted?: boolean
}

/**
 * What a cabinet's slots hold. A slot has four faces: it holds a bank, something is in it that cannot be read, it is
 * empty (listed by nothing here), or its face is unknown (beyond `slots`, or of a board that said nothing).
 */
export interface Slots {
  slots?: number
  banks: Bank[]
  /** Occupied, but nobody can say by what: no id was read, the hole is stuck or silent, or its switch says so. Absent: none. */
  unreadable?: number[]
  /** Nothing was said of these, though they are there: their board did not answer. Absent: none. */
  unknown?: number[]
}

/** What a cabinet says. `login` … `abnormal` it says unasked; the others answer a command of the same name. */
export type Report =
  | ({ kind: 'login'; boxId: string; banks?: Bank[] } & Partial<Omit<Slots, 'banks'>>)
  | { kind: 'heartbeat' }
  | { kind: 'returned'; bank: Bank }
  /**
   * `event` 1: gone without an unlock command; 2: return detected but no bank; others unknown (0x83). Over MQTT the
   * state of a return that went wrong (5.5, 0x40).
   */
  | { kind: 'abnormal'; event: number; slot: number; bankId: BankId | null }
  | ({ kind: 'inventory' } & Slots)
  /**
   * `ok` false is a refusal by the cabinet; only an inventory proves that the bank stayed (0x65). `slot` 0: not said, as
   * by old firmware over MQTT (5.5, 0x31); such an answer belongs to the eject of its bank. `isTooOld`: refused because by
   * the cabinet's clock the command's time was over (5.5, state 88).
   */
  | { kind: 'eject'; slot: number; bankId: BankId | null; ok: boolean; result: number; isTooOld?: true }
  | { kind: 'force_eject'; slot: number; bankId: BankId | null; ok: boolean; result: number; isTooOld?: true }
  | { kind: 'restart' }
  /** In the one spelling of protocol/iccid.ts; empty: it could not read it. */
  | { kind: 'iccid'; iccid: string }
  | { kind: 'volume'; level: number }
  | { kind: 'set_volume'; ok: boolean }
  | { kind: 'server_address'; host: string; port: string; heartbeatSeconds: number }
  | { kind: 'set_server_address' }
  | { kind: 'apn'; index: number; valid: boolean; operator: string; apn: string; user?: string; password?: string }
  | { kind: 'set_apn'; ok: boolean }
  | { kind: 'software_version'; version: string }

/**
 * What we tell a cabinet to do. `slot` is 1-based; `level` 0–15 (0–100 to a TCP cabinet that counts so); seconds 1–255. The bank that `slot` should hold is what
 * an eject over MQTT asks for (5.4, popup_sn); TCP asks by slot alone.
 */
export type Command =
  | { kind: 'eject'; slot: number; bankId?: BankId }
  | { kind: 'force_eject'; slot: number }
  | { kind: 'inventory' }
  | { kind: 'restart' }
  | { kind: 'iccid' }
  | { kind: 'volume' }
  | { kind: 'set_volume'; level: number }
  | { kind: 'server_address' }
  | { kind: 'set_server_address'; host: string; port: string; heartbeatSeconds: number }
  | { kind: 'apn'; index: number }
  | { kind: 'set_apn'; index: number; valid: boolean; operator: string; apn: string; user: string; password: string }
  | { kind: 'software_version' }

/** What a login says besides our words: its nonce and its clock; zero when absent (0x60). */
export interface LoginExtras {
  bootMilliseconds?: number
  unixSeconds?: number
}

/** One connection's translator, bound to its cabinet's secrets. Holds the last token, VSN and the key in use. */
export type Codec = DeviceWide<Report, Command>

/** What the first frame of a connection tells before any key is known. */
export interface Greeting {
  dialect: 'A' | 'B'
  boxId: string
  /** The protocol version the cabinet writes in its header (section 2.5). */
  vsn: number
  /** Physical slots, where the login says how many (TCP-B); not verified yet, like everything here. */
  slots?: number
  /** True when this dialect authenticates by token and so needs at least one key (TCP-B). */
  needsKey: boolean
  /** Binds the conversation; the login frame must still be decoded, which verifies its token too. */
  codec(secrets: Secrets): Codec
}

/** What the server acknowledged, as the device side hears it. `result` is the wire's own code: 1 is success (0x60, 0x66). */
export type Acknowledgement =
  | { kind: 'acknowledged'; report: 'login'; result: number; nonce?: number; unixSeconds?: number }
  | { kind: 'acknowledged'; report: 'heartbeat' }
  | { kind: 'acknowledged'; report: 'returned'; slot: number; result: number }
  | { kind: 'acknowledged'; report: 'abnormal' }

/** The device's half of a conversation: the same definitions read from the other end. For simulators and tests. */
export interface DeviceCodec {
  /** A report as a frame. @throws RangeError a value this dialect's wire cannot carry */
  encode(report: Report, login?: LoginExtras): Buffer
  /**
   * A server's frame: a command, or the acknowledgement of one of our reports (a probe 0x61 is one too: same bytes).
   * @throws MalformedBody bad checksum (TCP-B only: TCP-A cabinets do not look, section 2.3), bad token (TCP-B), unknown
   * code or unreadable body
   */
  decode(frame: Buffer): Command | Acknowledgement
}
