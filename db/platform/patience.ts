/** Waits for work, or for so long. @returns false: it was not done in time */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, milliseconds, false)
  try {
    return await Promise.race([promise, work.then(() => true)])
  } finally {
    clearTimeout(timer)
  }
}

/** Does something again and again, but never twice at once. @returns what stops it, when it has finished */
export function every(milliseconds: number, work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  const timer = setInterval(() => {
    running ??= work().finally(() => {
      running = null
    })
  }, milliseconds)
  return async () => {
    clearInterval(timer)
    await running
  }
}
