import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Environment = Record<string, string | undefined>

/** The PostgreSQL of a run: a server that is there, a container's image, or the embedded one. */
export type PostgresChoice = { url: string } | { image: string } | 'embedded'
/** The broker of somebody else: a program of this machine, a container's image, or none. */
export type BrokerChoice = { program: string } | { image: string } | null

const postgresDefault = '18'
const images: Record<string, string> = { mosquitto: 'eclipse-mosquitto:2.0.20', emqx: 'emqx/emqx:5.8.6' }
const answerMsMax = 3_000

/** Where a container engine listens, if one may be there. Only looks whether a socket exists: it costs nothing where none does. */
export function engineAddress(env: Environment, exists: (path: string) => boolean = existsSync): string | null {
  if (env.DOCKER_HOST) return env.DOCKER_HOST
  const folders = [
    '/var/run',
    env.XDG_RUNTIME_DIR ?? '',
    join(homedir(), '.docker/run'),
    join(homedir(), '.docker/desktop'),
  ]
  return folders.flatMap((folder) => (folder ? [join(folder, 'docker.sock')] : [])).find((path) => exists(path)) ?? null
}

/** Does a container engine answer? testcontainers is loaded, and asks it, only where one may be. */
export async function hasContainers(address = engineAddress(process.env), load = () => import('testcontainers')) {
  if (address === null) return false
  const { getContainerRuntimeClient } = await load()
  const silence = Promise.withResolvers<boolean>()
  const late = setTimeout(() => silence.resolve(false), answerMsMax)
  const answer = getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
  return Promise.race([answer, silence.promise]).finally(() => clearTimeout(late))
}

/**
 * `TEST_DATABASE_URL`, else the version that `TEST_POSTGRES` names (18) in a container, else the embedded one.
 * @throws Error a version is asked for, and no engine answers: the embedded one would be taken for it
 */
export function postgresFor(env: Environment, containers: boolean): PostgresChoice {
  const { TEST_DATABASE_URL: url, TEST_POSTGRES: asked } = env
  if (url) return { url }
  if (asked === 'embedded' || (!asked && !containers)) return 'embedded'
  if (!containers) throw new Error(`TEST_POSTGRES=${asked} wants a container engine, and none answers`)
  return { image: `postgres:${asked || postgresDefault}` }
}

/**
 * The broker that `TEST_BROKER` names (`mosquitto`, `emqx`) in a container, else the Mosquitto of this machine (`local`).
 * @throws Error a broker is asked for that cannot be had
 */
export function brokerFor(env: Environment, containers: boolean, findLocal: () => string | null): BrokerChoice {
  const { TEST_BROKER: asked } = env
  if (asked === 'local' || (!asked && !containers)) {
    const program = findLocal()
    if (program === null && asked) throw new Error('TEST_BROKER=local wants a Mosquitto, and none is installed')
    return program === null ? null : { program }
  }
  const image = images[asked || 'mosquitto']
  if (image === undefined) throw new Error(`TEST_BROKER is one of local, ${Object.keys(images).join(', ')}`)
  if (!containers) throw new Error(`TEST_BROKER=${asked} wants a container engine, and none answers`)
  return { image }
}

/** Where Debian puts it is not on everybody's PATH. */
const places = ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto']

const runs = (program: string) => {
  try {
    // It has no --version; its help ends with 3 in some versions, so any answer will do.
    return execFileSync(program, ['-h'], { stdio: ['ignore', 'pipe', 'ignore'] }).includes('mosquitto')
  } catch (error) {
    return String((error as { stdout?: Buffer }).stdout ?? '').includes('mosquitto version')
  }
}

/** The Mosquitto of this machine; null where there is none. */
export const localMosquitto = (): string | null => places.find(runs) ?? null
