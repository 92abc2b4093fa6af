import type { Bank, Command, LoginExtras, Report } from './cabinet.ts'
import { list, may, of, orNull, type Shape, said, set, signed, spelt, text, truth, whole } from './words.ts'

const bankId = spelt(/^(?:[\dA-F]{16}|[\dA-F]{8})$/, 'upper-case hex of 8 bytes, over MQTT of 4')

const bank: Shape<Bank> = {
  slot: whole,
  bankId,
  levelPercent: may(whole),
  millivolts: may(whole),
  milliamps: may(whole),
  celsius: may(signed),
  isUnread: may(set),
  sohPercent: may(whole),
  faults: may(of({ bank: truth, typeC: truth, lightning: truth, microUsb: truth })),
  charging: may(truth),
  locked: may(truth),
  inserted: may(truth),
}

const faces = { slots: may(whole), unreadable: may(list(whole)), unknown: may(list(whole)) }
const moved = { slot: whole, bankId: orNull(bankId), ok: truth, result: whole, isTooOld: may(set) }
const server = { host: text, port: said(text, 'digits'), heartbeatSeconds: whole }
const network = { index: whole, valid: truth, operator: text, apn: text }

type Reports = { [K in Report['kind']]: Extract<Report, { kind: K }> }
type Commands = { [K in Command['kind']]: Extract<Command, { kind: K }> }

/** What a cabinet says; a login also its nonce and its clock. */
export const reportWords: { [K in keyof Omit<Reports, 'login'>]: Shape<Reports[K]> } & {
  login: Shape<Reports['login'] & LoginExtras>
} = {
  login: { boxId: text, banks: may(list(of(bank))), ...faces, bootMilliseconds: may(whole), unixSeconds: may(whole) },
  heartbeat: {},
  returned: { bank: of(bank) },
  abnormal: { event: whole, slot: whole, bankId: orNull(bankId) },
  inventory: { banks: list(of(bank)), ...faces },
  eject: moved,
  force_eject: moved,
  restart: {},
  iccid: { iccid: text },
  volume: { level: whole },
  set_volume: { ok: truth },
  server_address: server,
  set_server_address: {},
  apn: { ...network, user: may(text), password: may(text) },
  set_apn: { ok: truth },
  software_version: { version: text },
}

/** What we tell a cabinet to do. */
export const commandWords: { [K in keyof Commands]: Shape<Commands[K]> } = {
  eject: { slot: whole, bankId: may(said(bankId, 'what MQTT asks for; TCP asks by slot alone')) },
  force_eject: { slot: whole },
  inventory: {},
  restart: {},
  iccid: {},
  volume: {},
  set_volume: { level: whole },
  server_address: {},
  set_server_address: server,
  apn: { index: whole },
  set_apn: { ...network, user: text, password: text },
  software_version: {},
}
