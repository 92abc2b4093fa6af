import type { Command, Report } from '../../protocol/cabinet.ts'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { banksOf } from './box.ts'
import * as http from './cabinet-http.ts'
import { flipped } from './faults.ts'
import type { Actor, ActorSettings, Wire } from './machine.ts'
import { forget, makeActor, makeCabinet, perform, reachOf, sayAgain } from './machine.ts'
import { isSayable, refusalOf, wifiFrame, worded } from './mqtt-firmware.ts'
import type { Doors, Line, LineSettings } from './mqtt-line.ts'
import { forsake, hangUp, isOurs, reboot, switchOff, wake } from './mqtt-line.ts'
import type { Cabinet } from './simulated-cabinet.ts'

/** Where MQTT itself says it there are no bytes of the cabinet's to show. */
const nothing = Buffer.alloc(0)

export interface MqttCabinetSettings extends ActorSettings, LineSettings, Partial<mqtt.Make> {
  /** After so many unanswered heartbeats it reboots: 18 min at 9 min each (docs/protocol.md 5.6). 2 unless told. */
  missedHeartbeatsMax?: number
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

interface Volinks {
  settings: MqttCabinetSettings
  actor: Actor
  wire: Wire
  codec: mqtt.MqttDeviceCodec
  line: Line
  unanswered: number
  /** Said once more after the next login. */
  again: { frame: Buffer; report: Report }[]
  heartbeats: NodeJS.Timeout | undefined
  upload: NodeJS.Timeout | undefined
}

function loggedIn(cab: Volinks) {
  const { actor, wire, settings } = cab
  cab.unanswered = 0
  cab.heartbeats = setInterval(() => tick(cab), actor.box.server.heartbeatSeconds * 1000)
  actor.journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'login', result: 1 }, frame: nothing })
  for (const { frame, report } of cab.again.splice(0)) {
    publish(cab, report, frame, true)
    actor.journal.add({ event: 'said', report, frame })
  }
  sayAgain(actor, { ...wire, say: (report) => say(cab, report, settings.isPersistent) })
}

function tick(cab: Volinks) {
  const { missedHeartbeatsMax = 2 } = cab.settings
  if (cab.unanswered >= missedHeartbeatsMax) restart(cab, 'the server is silent')
  else beat(cab)
}

function beat(cab: Volinks) {
  cab.unanswered++
  say(cab, { kind: 'heartbeat' })
}

function say(cab: Volinks, report: Report, isAgain = false) {
  const { line, codec } = cab
  if (line.online && !line.hushed && isSayable(report)) write(cab, report, codec.say(report), isAgain)
}

/** Each write that the faults leave of a frame is a publish of its own. */
function write(cab: Volinks, report: Report, frame: Buffer, isAgain = false) {
  const { actor, wire } = cab
  const reach = reachOf(actor, wire)
  let writes = [frame]
  for (const { out } of actor.faults.values())
    if (out) writes = writes.flatMap((bytes) => out(bytes, report, reach) ?? [bytes])
  for (const bytes of writes) if (bytes !== nothing) publish(cab, report, bytes, isAgain)
  actor.journal.add({ event: 'said', report, frame })
}

function publish(cab: Volinks, report: Report, frame: Buffer, dup: boolean) {
  const { line } = cab
  const { link, topics } = line
  const topic = report.kind === 'heartbeat' ? topics.heart : topics.update
  link?.client.publish(topic, frame, { qos: 1, dup }, (error) => {
    if (!error && isOurs(line, link)) acknowledged(cab, report)
  })
}

function acknowledged({ actor, line }: Volinks, report: Report) {
  const { journal, faults } = actor
  if (report.kind === 'abnormal')
    journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'abnormal' }, frame: nothing })
  if (report.kind !== 'returned') return
  const { slot } = report.bank
  journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'returned', slot, result: 1 }, frame: nothing })
  forget(actor, slot)
  // The journal has what came of it.
  if (line.web && faults.has('http-return')) http.sayReturn(line.web, report.bank).catch(() => {})
}

function hear(cab: Volinks, topic: string, payload: Buffer) {
  const { journal, faults } = cab.actor
  if (topic === cab.line.topics.heart) {
    if (faults.has('unheard-echo')) return
    cab.unanswered = 0
    return journal.add({ event: 'heard', words: { kind: 'acknowledged', report: 'heartbeat' }, frame: payload })
  }
  try {
    obey(cab, cab.codec.listen(payload), payload)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    journal.add({ event: 'unreadable', reason: error.message, frame: payload })
  }
}

function obey(cab: Volinks, heard: mqtt.Heard, frame: Buffer) {
  const { actor, wire, settings } = cab
  if (!heard.command) return obeyWordless(cab, heard.cmd, frame)
  const command = found(actor, heard.command)
  actor.journal.add({ event: 'heard', words: command, frame })
  const now = settings.unixSeconds?.() ?? Math.floor(Date.now() / 1000)
  const refusal = refusalOf(command, heard.when, now, actor.faults)
  if (refusal) return wire.say(refusal)
  perform(actor, wire, command, (reply) => worded(reply, heard.cmd, settings.firmware ?? 'current'))
}

/** The wire asks by serial number: the hole where the bank is now. */
function found({ box }: Actor, command: Command): Command {
  if (command.kind !== 'eject' || command.bankId === undefined) return command
  return { ...command, slot: banksOf(box).find(({ bankId }) => bankId === command.bankId)?.slot ?? 0 }
}

/** What our words have nothing for. */
function obeyWordless(cab: Volinks, command: string, frame: Buffer) {
  cab.actor.journal.add({ event: 'told', command, frame })
  // The journal has what came of it.
  if (command === 'upload_all' && cab.line.web) upload(cab).catch(() => {})
  if (command === 'getWifi') cab.wire.send(wifiFrame)
}

async function upload({ line, codec, actor: { box } }: Volinks): Promise<void> {
  if (!line.web) throw new RangeError('this cabinet speaks no HTTP')
  await http.upload(line.web, codec.say({ kind: 'inventory', slots: box.slots, banks: banksOf(box) }))
}

/** Some time after each power-on it says over HTTP what its holes hold. */
function uploadLater(cab: Volinks, bootSeconds: number) {
  const { uploadSeconds } = cab.settings
  clearTimeout(cab.upload)
  if (uploadSeconds === undefined || !cab.line.web) return
  // The journal has what came of it.
  cab.upload = setTimeout(() => void upload(cab).catch(() => {}), (bootSeconds + uploadSeconds) * 1000)
}

function restart(cab: Volinks, reason = 'restarted') {
  cab.actor.journal.add({ event: 'did', act: 'restarted' })
  uploadLater(cab, cab.settings.bootSeconds ?? 8)
  reboot(cab.line, reason)
}

/** @param of the cabinet, which is made with its wire */
const wireOf = (of: () => Volinks): Wire => ({
  get online() {
    return of().line.online
  },
  say: (report) => say(of(), report),
  frameOf: (report) => of().codec.say(report),
  // The last byte is the check byte (5.3).
  spoiled: (frame) => flipped(frame, frame.length - 1),
  again: (frame, report) => void of().again.push({ frame, report }),
  hush: () => void (of().line.hushed = true),
  beat: () => beat(of()),
  restart: () => restart(of()),
  drop: () => hangUp(of().line, 'dropped'),
  halfOpen: () => forsake(of().line),
  send(bytes) {
    const { link, topics } = of().line
    link?.client.publish(topics.update, bytes, { qos: 1 })
  },
  close() {
    clearTimeout(of().upload)
    return switchOff(of().line)
  },
})

function makeOf({ firmware, holesPerBoard, returnFrameBytes }: Partial<mqtt.Make>): Partial<mqtt.Make> {
  return {
    ...(firmware !== undefined && { firmware }),
    ...(holesPerBoard !== undefined && { holesPerBoard }),
    ...(returnFrameBytes !== undefined && { returnFrameBytes }),
  }
}

/** @throws RangeError neither HTTP nor a login to find its broker by */
function lineOf(actor: Actor, doors: Doors, settings: MqttCabinetSettings, on: Line['on']): Line {
  const { box, journal } = actor
  const { login, firmware = 'current' } = settings
  if (!login && !doors.ask) throw new RangeError('an MQTT cabinet needs HTTP or a login')
  return {
    settings,
    actor,
    topics: mqtt.topics(box.boxId),
    doors,
    web: login || !doors.ask ? undefined : { ask: doors.ask, box, journal, firmware },
    broker: login && { clientId: box.boxId, host: box.server.host, port: Number(box.server.port), ...login },
    link: undefined,
    forsaken: [],
    online: false,
    hushed: false,
    farewell: undefined,
    redial: undefined,
    on,
  }
}

/**
 * A cabinet of the MQTT family, switched on at once and well-behaved unless told otherwise.
 * @throws RangeError a box that cannot be, an id that is no IMEI, or neither HTTP nor a login to find its broker by
 */
export function mqttCabinet(doors: Doors, settings: MqttCabinetSettings): MqttCabinet {
  const actor = makeActor({ ...settings, family: 'mqtt' })
  const wire = wireOf(() => cab)
  const line = lineOf(actor, doors, settings, {
    dialled: () => write(cab, { kind: 'login', boxId: actor.box.boxId }, nothing),
    ready: () => loggedIn(cab),
    heard: (topic, payload) => hear(cab, topic, payload),
    ended: () => clearInterval(cab.heartbeats),
  })
  const cab: Volinks = {
    settings,
    actor,
    wire,
    codec: mqtt.deviceCodec(makeOf(settings)),
    line,
    unanswered: 0,
    again: [],
    heartbeats: undefined,
    upload: undefined,
  }
  uploadLater(cab, 0)
  void wake(line)
  return Object.assign(makeCabinet(actor, wire, true), { upload: () => upload(cab) })
}
