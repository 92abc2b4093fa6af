import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { seal } from '../../db/devices/keys.ts'
import { hash } from '../../db/identity/password.ts'
import { type RunningServer, startWholeServer } from '../chaos/server.ts'
import { type Device, device, socketTo } from '../gateway/stage.ts'
import { freshDb, tempDataDir } from '../postgres.ts'

/** The build before devices: its stations are not devices yet, its schema ends with 0008. */
const commit = '10c8e7f3e8d6'
const root = join(import.meta.dirname, '../..')
const key = 'INVENTED-STATION-KEY'
const keysSecret = 'a secret of the cabinets of this test only'
const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: root, maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] })

/** Does this clone have it? A shallow one has not, nor has a folder without git. */
export const hasOlderBuild = (() => {
  try {
    git('cat-file', '-e', `${commit}^{commit}`)
    return true
  } catch {
    return false
  }
})()

/** Its files, with the packages of this build. */
function unpack(): string {
  const folder = tempDataDir()
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit) })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** A house of either build, and how it is asked. */
export interface House extends RunningServer {
  call(method: string, path: string, body?: object): Promise<{ status: number; body: any }>
  /** A cabinet of TCP-B dials in here. */
  dial(): Device
}

/**
 * The older build's house, running over a database that nothing but itself has migrated, with a service administrator;
 * and what starts this build's beside it. Both take the administrator's token.
 */
export async function deployment() {
  const { db, url } = await freshDb()
  const settings = {
    DATABASE_URL: url,
    JWT_SECRET: 'a secret of the logins of this test only',
    KEYS_SECRET: keysSecret,
    CABINET_SEEN_SECONDS: '1',
  }
  let token = ''
  async function start(main?: string): Promise<House> {
    const server = await startWholeServer(settings, tempDataDir(), main)
    onTestFinished(async () => void (await server.end()))
    return {
      ...server,
      dial: () => device(socketTo(server.cabinetPort), key),
      async call(method, path, body) {
        const response = await fetch(`http://127.0.0.1:${server.apiPort}${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body && { body: JSON.stringify(body) }),
        })
        return { status: response.status, body: await response.json() }
      },
    }
  }
  const old = await start(join(unpack(), 'main.ts'))
  const [user] = await db.sql<{ id: number }[]>`
    insert into users (phone, email, full_name, status, powerbank_limit, password_hash)
    values ('+79000000001', 'one@example.org', 'Some Body', 'active', 100, ${await hash('password-of-a-test')}) returning id`
  await db.sql`insert into user_roles (user_id, surface, role) values (${user!.id}, 'powerbank', 'service_admin')`
  const login = await old.call('POST', '/api/auth/login', {
    phone_e164: '+79000000001',
    password: 'password-of-a-test',
  })
  token = login.body.token
  /** A station with a key, by the statements of the older build, which both take. */
  async function station(boxId: string): Promise<number> {
    const [row] = await db.sql<{ id: number }[]>`
      insert into stations (box_id, slots_declared, status, iccid, device_state)
      values (${boxId}, 8, 'active', '89701', jsonb_build_object('sim', jsonb_build_object('at', now()))) returning id`
    await db.sql`
      insert into station_secret_keys (station_id, key_ciphertext, key_hint) values (${row!.id}, ${seal(key, keysSecret)}, 'EY')`
    return row!.id
  }
  return { db, url, old, userId: user!.id, station, startNew: () => start() }
}
