/** What a terminal hears, whatever line it came over. */
import { MalformedBody } from '../../protocol/errors.ts'
import type { Command, DeviceCodec, Heard } from '../../protocol/terminal.ts'
import { hangUp } from '../line.ts'
import { obey, type Result } from './behaviours.ts'
import { sentAtOf } from './clock.ts'
import { answered, pump } from './exchanges.ts'
import { aboutOf, clockOf, type Machine, network, reachOf, say } from './machine.ts'

const echoSecondsStandard = 60
const bootSecondsStandard = 8
const missedEchoesMax = 2
/** Of the host's commands so many are known again. */
const answeredMax = 1_000

const hexOf = (bytes: Buffer) => bytes.toString('hex').toUpperCase()

/** One message of the host. */
export function hear(machine: Machine, codec: DeviceCodec, bytes: Buffer) {
  const frame = hexOf(bytes)
  let words: Heard | Command
  try {
    words = codec.decode(bytes)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    machine.journal.add({ event: 'unreadable', reason: error.message, frame })
    return
  }
  if (words.kind === 'answer') return heard(machine, words, frame)
  machine.journal.add({ event: 'told', words, frame })
  void told(machine, words)
}

function heard(machine: Machine, answer: Heard, frame: string) {
  if ([...machine.faults.values()].some(({ hears }) => hears?.(answer) === false)) return
  const about = aboutOf(machine, answer)
  if (about === undefined) return machine.journal.add({ event: 'unreadable', reason: 'nobody has asked', frame })
  machine.journal.add({ event: 'heard', words: answer, about, frame })
  if (about === 'login') signedOn(machine, answer)
  else if (about === 'heartbeat') machine.unanswered = 0
  else if (about === 'sign_off') signedOff(machine)
  else answered(machine, answer)
}

function signedOn(machine: Machine, { code }: Heard) {
  if (code !== '00') {
    machine.journal.add({ event: 'refused', code })
    return hangUp(machine, `the sign-on was refused: ${code}`)
  }
  machine.online = true
  machine.unanswered = 0
  clearInterval(machine.heartbeats)
  const { echoSeconds = echoSecondsStandard } = machine.settings
  machine.heartbeats = setInterval(() => beat(machine), echoSeconds * 1000)
  pump(machine)
}

function beat(machine: Machine) {
  if (machine.faults.has('no-echo')) return
  if (machine.unanswered >= missedEchoesMax) return hangUp(machine, 'the host is silent', 0)
  echo(machine)
}

/** An echo; of several without an answer the line is given up. */
export function echo(machine: Machine): void {
  machine.unanswered++
  say(machine, network(machine, 'heartbeat'))
}

function signedOff(machine: Machine) {
  machine.isSignedOff = true
  machine.redials = false
  hangUp(machine, 'signed off')
}

/** Signs on again: over the line there is, or by dialling one. */
export function signOn(machine: Machine): void {
  machine.isSignedOff = false
  machine.redials = true
  clearTimeout(machine.redial)
  if (machine.stream) say(machine, network(machine, 'login'))
  else machine.wire.dial()
}

/** Power off and on: money and settings are kept. */
export function restart(machine: Machine): void {
  machine.journal.add({ event: 'did', act: 'restarted' })
  hangUp(machine, 'restarted', machine.settings.bootSeconds ?? bootSecondsStandard)
}

/** A command through the faults, first to last, and at the end as it is. */
async function result(machine: Machine, command: Command): Promise<Result | undefined> {
  let work = async (): Promise<Result | undefined> => obey(machine.device, command)
  for (const { obeys } of machine.faults.values()) {
    const usual = work
    // What a fault calls usual is not silent: silence is its own to keep.
    if (obeys) work = () => obeys(command, async () => (await usual()) ?? { code: '00' }, reachOf(machine))
  }
  return await work()
}

/** Known again by its number: not done twice. */
function once(machine: Machine, command: Command): Promise<Result | undefined> {
  const { answered } = machine
  const before = command.isRepeat && answered.get(command.stan)
  if (before) return before
  const work = result(machine, command)
  answered.set(command.stan, work)
  if (answered.size > answeredMax) answered.delete(answered.keys().next().value!)
  return work
}

async function told(machine: Machine, command: Command): Promise<void> {
  try {
    const done = await once(machine, command)
    if (!done) return
    const { code, text, restarts, redials } = done
    const said = { kind: 'result', stan: command.stan, sentAt: sentAtOf(clockOf(machine)), code } as const
    say(machine, text === undefined ? said : { ...said, text })
    if (command.isRepeat) return
    if (restarts) restart(machine)
    if (redials) hangUp(machine, 'moved', 0)
  } catch (error) {
    // What was under way when it was switched off is never finished.
    if (!machine.end.signal.aborted) throw error
  }
}
