import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What a process of the benchmark can be asked to do, by name. */
export type Skills = Record<string, (about: any) => unknown>

/** Another process: what is measured and what measures must not share an event loop. */
export interface Child<S extends Skills> {
  pid: number
  /** Rejects with the child's error, or when it is gone. */
  ask<K extends keyof S & string>(skill: K, about: Parameters<S[K]>[0]): Promise<Awaited<ReturnType<S[K]>>>
  /** Resolves when it has exited; one that does not is killed. */
  end(): Promise<void>
}

interface Question {
  id: number
  skill: string
  about: unknown
}

interface Reply {
  id: number
  value?: unknown
  error?: string
}

const endMsMax = 10_000

/** Starts `file` of this folder as a process. `flags` are node's own. */
export function start<S extends Skills>(file: string, flags: readonly string[] = []): Child<S> {
  const child = fork(join(import.meta.dirname, file), {
    execArgv: [...flags],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const asked = new Map<number, PromiseWithResolvers<any>>()
  let last = 0
  child.on('message', ({ id, value, error }: Reply) => {
    const question = asked.get(id)
    asked.delete(id)
    if (error === undefined) question?.resolve(value)
    else question?.reject(new Error(`${file}: ${error}`))
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of asked.values()) reject(new Error(`${file} ended: ${signal ?? code}`))
    asked.clear()
  })
  return {
    pid: child.pid ?? 0,
    ask(skill, about) {
      const question = Promise.withResolvers<any>()
      asked.set(++last, question)
      child.send({ id: last, skill, about } satisfies Question, (error) => error && question.reject(error))
      return question.promise
    },
    end: () => end(child),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  const impatience = setTimeout(() => child.kill('SIGKILL'), endMsMax)
  if (child.connected) child.disconnect()
  await exited
  clearTimeout(impatience)
}

/** The other side: answers what the benchmark asks, and ends when it hangs up. */
export function serve(skills: Skills): void {
  process.on('message', async ({ id, skill, about }: Question) => {
    const reply: Reply = { id }
    try {
      reply.value = await skills[skill]!(about)
    } catch (error) {
      reply.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
    process.send?.(reply)
  })
  // By exit and not by signal: a profile is written then.
  process.once('disconnect', () => process.exit())
}

/** What a process has used so far. Collects garbage first where node was told `--expose-gc`. */
export interface Usage {
  /** User and system time, microseconds. */
  cpuMicros: number
  rssBytes: number
  /** The JavaScript heap and what hangs on it outside. */
  heapBytes: number
}

export function usage(): Usage {
  for (let round = 0; round < 3; round++) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed + external }
}
