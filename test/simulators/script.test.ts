import { afterEach, expect, test } from 'vitest'
import { play, readScript } from '../../simulators/cabinet/script.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { banks, pair } from './answering-server.ts'

const running: Cabinet[] = []
afterEach(() => Promise.all(running.splice(0).map((cab) => cab.close())))
const start = (...of: Parameters<typeof pair>) => {
  const made = pair(...of)
  running.push(made.cab)
  return made
}

test('a rental by script: lent, gone, back', async () => {
  const { cab, first } = start()
  const played = play(
    cab,
    readScript(`
      # labels and hex are both banks
      wait login result=1 within 5s
      expect link online
      expect slot 2 DCHA54000012   # as its label says
      heartbeat
      wait eject slot=2
      wait ejected slot=2 bankId=${banks[1]}
      expect slot 2 empty
      expect banks 2
      insert 4
      wait returned slot=4 result=1
      expect slot 4 ${banks[1]}
      never eject for 1ms
      quit
      expect banks 99
    `),
  )
  await first.next('heartbeat')
  first.tell({ kind: 'eject', slot: 2 })
  await played
})

test('a login that was refused is none, unless its result is asked for', async () => {
  const { cab } = start({ dialect: 'A' }, { accepts: false })
  const waited = play(cab, readScript('wait login within 1s'))
  await expect(waited).rejects.toThrow('did not happen within 1s; the link was closed last: the login was refused')
  await play(cab, readScript('wait login result=0'))
})

test('every action there is', async () => {
  const { cab, servers } = start()
  await play(
    cab,
    readScript(`
      wait login
      jam 1
      wait jammed slot=1
      pull 2
      wait abnormal
      empty 4
      wait abnormal
      heartbeat
      wait heartbeat
      fault jam
      insert 2
      wait returned
      insert 4 DCHA00000077
      wait returned slot=4
      send 0007610200B15313BA
      drop
      wait closed reason=dropped
      wait login
      half-open
      wait login
      reboot
      wait restarted
      wait login
      sleep 1ms
      expect volume 5
    `),
  )
  expect(servers).toHaveLength(4)
  expect(cab.faults).toEqual(['jam'])
  expect(cab.box.banks.get(4)?.bankId).toBe('4443484100000077')
})

test.each([
  ['wait eject within 5ms', 'line 2: wait eject within 5ms: did not happen within 5ms'],
  ['never login for 5ms', 'line 2: never login for 5ms: happened'],
  ['expect slot 1 empty', `line 2: expect slot 1 empty: it is ${banks[0]}`],
  ['pull 4', 'line 2: pull 4: slot 4 is empty'],
  ['insert 1', 'line 2: insert 1: slot 1 takes nothing'],
])('%s fails with its line', async (line, message) => {
  const { cab } = start()
  await cab.loggedIn
  await expect(play(cab, readScript(`\n${line}`))).rejects.toThrow(message)
})

test.each([
  'wiat login',
  'wait',
  'wait nothing',
  'wait login within long',
  'wait login result',
  'never login',
  'expect slot 1',
  'expect weather fine',
  'expect slot one empty',
  'insert',
  'insert 1 DCHA',
  'fault none',
  'send 0',
  'sleep 5',
  'constructor',
])('"%s" is refused before anything runs', (line) => {
  expect(() => readScript(`wait login\n${line}`)).toThrow(/^line 2: /)
})
