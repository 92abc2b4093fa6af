import type { Socket } from 'node:net'
import type { Command, Report } from '../../protocol/cabinet.ts'
import { open, seal } from '../../protocol/cabinet-mqtt/frame.ts'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import type { Doors } from '../dial.ts'
import { switchOff } from '../line.ts'
import { deafen, endAfterWrites } from '../mqtt-client.ts'
import { banksOf } from './box.ts'
import * as http from './cabinet-http.ts'
import { flipped } from './frame-faults.ts'
import {
  forget,
  inItsTime,
  isMovement,
  loggedIn,
  type MachineSettings,
  newMachine,
  perform,
  say,
  spelt,
  startHeartbeats,
} from './machine.ts'
import { isSayable, refusalOf, wifiFrame, worded } from './mqtt-firmware.ts'
import { isOurs, type MqttLineSettings, type MqttMachine, reboot, wake } from './mqtt-line.ts'
import { type Cabinet, simulated } from './simulated-cabinet.ts'

/** Where MQTT itself says it there are no bytes of the cabinet's to show. */
const nothing = Buffer.alloc(0)

export interface MqttCabinetSettings extends MachineSettings, MqttLineSettings, Partial<mqtt.Make> {
  /** From power-on to the HTTP upload, 60 in the documentation (5.7). Absent: none but when told to. */
  uploadSeconds?: number
  /** Its clock; the real one unless told. */
  unixSeconds?: () => number
}

/** A cabinet that may speak over HTTP as well. */
export interface MqttCabinet extends Cabinet {
  /** Says over HTTP what its holes hold. @throws RangeError it speaks no HTTP | whatever the asking throws */
  upload(): Promise<void>
}

interface Volinks extends MqttMachine {
  settings: MqttCabinetSettings
  codec: mqtt.MqttDeviceCodec
  upload: NodeJS.Timeout | undefined
}

function ready(cab: Volinks) {
  startHeartbeats(cab)
  cab.journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'login', result: 1 }, frame: nothing })
  loggedIn(cab, cab.settings.isPersistent)
}

const canSay = (cab: Volinks, report: Report) => report.kind === 'login' || (cab.online && isSayable(report))

function publish(cab: Volinks, frame: Buffer, report: Report, dup: boolean) {
  // The login is said by MQTT itself.
  if (report.kind === 'login') return
  const { stream, topics, client } = cab
  const topic = report.kind === 'heartbeat' ? topics.heart : topics.update
  const retain = report.kind === 'returned' && cab.faults.has('retained')
  client?.publish(topic, frame, { qos: 1, dup, retain }, (error) => {
    if (!error && isOurs(cab, stream)) acknowledged(cab, report)
  })
}

function acknowledged(cab: Volinks, report: Report) {
  const { journal, faults, web } = cab
  if (report.kind === 'abnormal')
    journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'abnormal' }, frame: nothing })
  if (report.kind !== 'returned') return
  const { slot } = report.bank
  journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'returned', slot, result: 1 }, frame: nothing })
  forget(cab, slot)
  // The journal has what came of it.
  if (web && faults.has('http-return')) http.sayReturn(web, report.bank).catch(() => {})
}

function hear(cab: Volinks, topic: string, payload: Buffer) {
  const { journal, faults } = cab
  if (topic === cab.topics.heart) {
    if (faults.has('unheard-echo')) return
    cab.unanswered = 0
    return journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'heartbeat' }, frame: payload })
  }
  try {
    const heard = cab.codec.listen(payload)
    inItsTime(cab, heard.command !== null && isMovement(heard.command), () => obey(cab, heard, payload))
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    journal.add({ event: 'unreadable', reason: error.message, frame: payload })
  }
}

function obey(cab: Volinks, heard: mqtt.ReceivedCommand, frame: Buffer) {
  const { journal, settings, faults } = cab
  if (!heard.command) return obeyWordless(cab, heard.cmd, frame)
  const command = found(cab, heard.command)
  journal.add({ event: 'heard', words: command, frame })
  const clock = settings.unixSeconds?.() ?? Math.floor(Date.now() / 1000)
  const now = clock + (faults.get('clock-off')?.clockSeconds ?? 0)
  const refusal = refusalOf(command, heard.when, now, faults)
  if (refusal) return say(cab, refusal)
  perform(cab, command, (reply) => worded(reply, heard.cmd, settings.firmware ?? 'current'))
}

/** The wire asks by serial number: the hole where the bank is now. */
function found({ box }: Volinks, command: Command): Command {
  if (command.kind !== 'eject' || command.bankId === undefined) return command
  return { ...command, slot: banksOf(box).find(({ bankId }) => bankId === command.bankId)?.slot ?? 0 }
}

/** What our words have nothing for. */
function obeyWordless(cab: Volinks, command: string, frame: Buffer) {
  cab.journal.add({ event: 'told', command, frame })
  // The journal has what came of it.
  if (command === 'upload_all' && cab.web) upload(cab).catch(() => {})
  if (command === 'getWifi') cab.wire.send(wifiFrame)
}

async function upload(cab: Volinks): Promise<void> {
  const { web, box } = cab
  if (!web) throw new RangeError('this cabinet speaks no HTTP')
  const { writes } = spelt(cab, { kind: 'inventory', slots: box.slots, banks: banksOf(box) })
  await http.upload(web, Buffer.concat(writes))
}

/** Some time after each power-on it says over HTTP what its holes hold. */
function uploadLater(cab: Volinks, bootSeconds: number) {
  const { uploadSeconds } = cab.settings
  clearTimeout(cab.upload)
  if (uploadSeconds === undefined || !cab.web) return
  // The journal has what came of it.
  cab.upload = setTimeout(() => void upload(cab).catch(() => {}), (bootSeconds + uploadSeconds) * 1000)
}

function restart(cab: Volinks, reason = 'restarted') {
  cab.journal.add({ event: 'did', act: 'restarted' })
  uploadLater(cab, cab.settings.bootSeconds ?? 8)
  reboot(cab, reason)
}

/** @param of the cabinet, which is made with its wire */
const wireOf = (of: () => Volinks): Volinks['wire'] => ({
  dial() {
    const cab = of()
    // It may be another by now.
    cab.topics = mqtt.topics(cab.box.boxId)
    void wake(cab)
  },
  hangUp(stream) {
    of().online = false
    // Every stream of this wire is a socket.
    endAfterWrites(stream as Socket)
  },
  deafen: () => deafen(of().client, of().stream),
  canSay: (report) => canSay(of(), report),
  frameOf: (report) => (report.kind === 'login' ? nothing : of().codec.say(report)),
  // The last byte is the check byte (5.3).
  spoiled: (frame) => flipped(frame, frame.length - 1),
  longer(frame) {
    const { code, data } = open(frame)
    return seal(code, Buffer.concat([data, Buffer.alloc(1)]))
  },
  write: (frame, report, isAgain) => publish(of(), frame, report, isAgain),
  send: (bytes) => void of().client?.publish(of().topics.update, bytes, { qos: 1 }),
  restart: () => restart(of()),
  giveUp: (reason) => restart(of(), reason),
})

/**
 * A cabinet of the MQTT family, switched on at once and well-behaved unless told otherwise.
 * @throws RangeError a box that cannot be, an id that is no IMEI, or neither HTTP nor a login to find its broker by
 */
export function mqttCabinet(doors: Doors, settings: MqttCabinetSettings): MqttCabinet {
  const { login, firmware = 'current' } = settings
  if (!login && !doors.ask) throw new RangeError('an MQTT cabinet needs HTTP or a login')
  const machine = newMachine({ ...settings, family: 'mqtt' }, true)
  const { box, journal } = machine
  const cab: Volinks = {
    ...machine,
    settings,
    wire: wireOf(() => cab),
    codec: mqtt.deviceCodec(settings),
    topics: mqtt.topics(box.boxId),
    doors,
    web: login || !doors.ask ? undefined : { ask: doors.ask, box, journal, firmware },
    broker: login && { clientId: box.boxId, host: box.server.host, port: Number(box.server.port), ...login },
    client: undefined,
    upload: undefined,
    on: {
      dialled: () => say(cab, { kind: 'login', boxId: box.boxId }),
      ready: () => ready(cab),
      heard: (topic, payload) => hear(cab, topic, payload),
    },
  }
  uploadLater(cab, 0)
  void wake(cab)
  const close = () => {
    clearTimeout(cab.upload)
    return switchOff(cab)
  }
  return Object.assign(simulated(cab), { upload: () => upload(cab), close })
}
