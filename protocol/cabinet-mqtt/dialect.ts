import type { Command } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import type { AnyRequest, AnyUplink, Firmware } from './define.ts'
import { heart } from './heart.ts'
import { cabinetInfo, check, checkAll, uploadAll } from './inventory.ts'
import { popped, poppedSn, popup, popupSn } from './popup.ts'
import { returned, selfTest } from './returned.ts'
import { getWifi, loadAd, reboot, setMode, setWifi, volume, wifiList } from './settings.ts'

/** Every JSON command (docs/protocol.md 5.4). */
export const requests: readonly AnyRequest[] = [
  check,
  checkAll,
  uploadAll,
  popupSn,
  popup,
  loadAd,
  reboot,
  volume,
  setMode,
  getWifi,
  setWifi,
]

/** Every A8 frame (5.5); of two with the same word the first is the usual one. */
export const uplinks: readonly AnyUplink[] = [cabinetInfo, popped, poppedSn, returned, selfTest, heart, wifiList]

const byCode = new Map(uplinks.map((uplink) => [uplink.code, uplink]))
const byCmd = new Map(requests.map((request) => [request.cmd, request]))

/** @throws MalformedBody nobody has defined this command byte */
export function uplinkOf(code: number): AnyUplink {
  const found = byCode.get(code)
  if (!found) throw new MalformedBody(`unknown command 0x${code.toString(16)}`)
  return found
}

/** @throws MalformedBody nobody has defined this command */
export function requestOf(cmd: string): AnyRequest {
  const found = byCmd.get(cmd)
  if (!found) throw new MalformedBody('unknown cmd')
  return found
}

const inWords: Partial<Record<Command['kind'], AnyRequest>> = {
  force_eject: popup,
  restart: reboot,
  set_volume: volume,
}

function found(command: Command, firmware: Firmware): AnyRequest | undefined {
  // An eject that names no bank can only open the hole; it is answered like a forced one.
  if (command.kind === 'eject') return command.bankId === undefined ? popup : popupSn
  if (command.kind === 'inventory') return firmware === 'old' ? checkAll : check
  return inWords[command.kind]
}

/** The definition of one of our commands. @throws RangeError this wire has no such command */
export function toTell(command: Command, firmware: Firmware): AnyRequest {
  const request = found(command, firmware)
  if (!request) throw new RangeError(`an MQTT cabinet knows no ${command.kind}`)
  return request
}

/** True for the commands that a cabinet of this family understands; `encode` refuses the others. */
export const speaks = (kind: Command['kind']): boolean => requests.some((request) => request.kind === kind)

/** False for those of them that are obeyed without a word (reboot, volume): nobody should wait for an answer. */
export const isAnswered = (kind: string): boolean =>
  requests.some((request) => request.kind === kind && request.answer !== null)

/** The quality of service of a command: 0 where hearing it twice would do it twice, else 1 (5.2). */
export const qosOf = (command: Command): 0 | 1 => toTell(command, 'current').qos

const codeAt = 3
const told = new Set([returned.code, popped.code])

/** Might this frame have told of a bank that came or went? By its command byte alone. */
export const mayMatter = (payload: Buffer): boolean => told.has(payload[codeAt]!)
