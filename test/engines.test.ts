import { expect, test, vi } from 'vitest'
import { brokerFor, engineAddress, hasContainers, postgresFor } from './engines.ts'

test('without a container engine nothing is done but look for its sockets', async () => {
  const exists = vi.fn(() => false)
  const address = engineAddress({ XDG_RUNTIME_DIR: '/run/user/7' }, exists)
  expect(address).toBeNull()
  expect(exists.mock.calls.flat().filter((path) => !String(path).endsWith('/docker.sock'))).toEqual([])
  const load = vi.fn(() => import('testcontainers'))
  expect(await hasContainers(address, load)).toBe(false)
  expect(load).not.toHaveBeenCalled()
})

test('an engine is where DOCKER_HOST says, or at the first socket there is', () => {
  expect(engineAddress({ DOCKER_HOST: 'tcp://far:2375' }, () => false)).toBe('tcp://far:2375')
  expect(engineAddress({ XDG_RUNTIME_DIR: '/run/user/7' }, (path) => path.startsWith('/run/user/7'))).toBe(
    '/run/user/7/docker.sock',
  )
})

test('an engine that does not answer is none', async () => {
  // Only what is asked of the package: nobody is there.
  const away = { getContainerRuntimeClient: () => Promise.reject(new Error('away')) } as never
  expect(await hasContainers('/var/run/docker.sock', async () => away)).toBe(false)
})

test.each([
  [{ TEST_DATABASE_URL: 'postgres://a', TEST_POSTGRES: '15' }, true, { url: 'postgres://a' }],
  [{}, true, { image: 'postgres:18' }],
  [{ TEST_POSTGRES: '15' }, true, { image: 'postgres:15' }],
  [{ TEST_POSTGRES: 'embedded' }, true, 'embedded'],
  [{ TEST_DATABASE_URL: '', TEST_POSTGRES: '' }, false, 'embedded'],
])('%j with an engine %j is served by %j', (env, containers, choice) => {
  expect(postgresFor(env, containers)).toEqual(choice)
})

test.each([
  [{}, true, '/usr/sbin/mosquitto', { image: 'eclipse-mosquitto:2.0.20' }],
  [{ TEST_BROKER: 'emqx' }, true, null, { image: 'emqx/emqx:5.8.6' }],
  [{ TEST_BROKER: 'local' }, true, '/usr/sbin/mosquitto', { program: '/usr/sbin/mosquitto' }],
  [{}, false, '/usr/sbin/mosquitto', { program: '/usr/sbin/mosquitto' }],
  [{}, false, null, null],
])('the broker of %j with an engine %j and the program %j is %j', (env, containers, program, choice) => {
  expect(brokerFor(env, containers, () => program)).toEqual(choice)
})

test('what is asked for and cannot be had is said, not replaced', () => {
  expect(() => postgresFor({ TEST_POSTGRES: '15' }, false)).toThrow('TEST_POSTGRES=15 wants a container engine')
  expect(() => brokerFor({ TEST_BROKER: 'emqx' }, false, () => null)).toThrow(
    'TEST_BROKER=emqx wants a container engine',
  )
  expect(() => brokerFor({ TEST_BROKER: 'local' }, false, () => null)).toThrow('wants a Mosquitto')
  expect(() => brokerFor({ TEST_BROKER: 'rabbit' }, true, () => null)).toThrow(
    'TEST_BROKER is one of local, mosquitto, emqx',
  )
})
