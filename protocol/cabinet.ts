/**
 * The words of a cabinet. Every dialect translates its wire into these and back; nothing behind the
 * dialects knows a byte. Sources: docs/protocol.md 2 and 3.
 */

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
  /** State of health, 0–100. */
  sohPercent?: number
  /** TCP-B status bits (section 2.6), advisory. */
  faults?: { bank: boolean; typeC: boolean; lightning: boolean; microUsb: boolean }
  charging?: boolean
  locked?: boolean
  inserted?: boolean
}

/** What a cabinet says. `login` … `abnormal` it says unasked; the others answer a command of the same name. */
export type Report =
  | { kind: 'login'; boxId: string; slots?: number; banks?: Bank[] }
  | { kind: 'heartbeat' }
  | { kind: 'returned'; bank: Bank }
  /**
   * `event` 1: gone without an unlock command; 2: return detected but no bank; others unknown (0x83). Over MQTT the
   * state of a return that went wrong (5.5, 0x40).
   */
  | { kind: 'abnormal'; event: number; slot: number; bankId: BankId | null }
  | { kind: 'inventory'; slots?: number; banks: Bank[] }
  /**
   * `ok` false is a refusal by the cabinet; only an inventory proves that the bank stayed (0x65). `slot` 0: not said, as
   * by old firmware over MQTT (5.5, 0x31); such an answer belongs to the eject of its bank.
   */
  | { kind: 'eject'; slot: number; bankId: BankId | null; ok: boolean; result: number }
  | { kind: 'force_eject'; slot: number; bankId: BankId | null; ok: boolean; result: number }
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

/** What the middle decided about a report that wants an acknowledgement. */
export type Verdict =
  /** Stored: login accepted, heartbeat heard, return taken, abnormal report filed. */
  | { kind: 'accepted' }
  /** Not ours: an unknown or unverifiable cabinet at login. */
  | { kind: 'refused' }
  /** The report was an answer; there is nothing to say back. */
  | { kind: 'silent' }

/** The secret half of a conversation, known once the login's box id has been looked up. */
export interface Secrets {
  /** Keys that verify what the cabinet says, newest first (two during a key change). Empty: the dialect needs none. */
  keys: readonly string[]
}

/** When a command was given and how long it holds; cabinets with firmware that looks drop one that is older (5.4). */
export interface When {
  unixSeconds: number
  ttlSeconds: number
}

/** What an acknowledgement needs and `protocol/`, which has no clock, cannot make: a server nonce (u32) and Unix seconds. */
export interface Entropy {
  nonce: number
  unixSeconds: number
}

/** What a login says besides our words: its nonce and its clock; zero when absent (0x60). */
export interface LoginExtras {
  bootMilliseconds?: number
  unixSeconds?: number
}

/** One connection's translator, bound to its cabinet's secrets. Holds the last token, VSN and the key in use; no I/O. */
export interface Codec {
  /**
   * A whole frame into a report.
   * @throws MalformedBody bad checksum, bad token, unknown code or unreadable body
   */
  decode(frame: Buffer): Report
  /**
   * A command as a frame ready to be written. @throws RangeError a value or a command this wire cannot carry
   * @param when said with movements where the wire has room for it (MQTT); TCP has none
   */
  encode(command: Command, when?: When): Buffer
  /** The acknowledgement of a report, or null where the wire has none. @param entropy for TCP-B's login answer (0x60) */
  answer(frame: Buffer, verdict: Verdict, entropy: Entropy): Buffer | null
}

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
