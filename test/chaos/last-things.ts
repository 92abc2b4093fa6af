const steps = new Set<() => void>()

/** Sees to it that this is done before the script ends, however it ends. Call what it returns once it is done anyway. */
export function atEnd(step: () => void): () => void {
  steps.add(step)
  return () => void steps.delete(step)
}

/** Does what is still to be done, the newest first. Waits for nothing: it runs while the process exits. */
export function endNow(): void {
  for (const step of [...steps].reverse()) {
    steps.delete(step)
    try {
      step()
    } catch (error) {
      // The others must have their turn.
      process.stderr.write(`chaos: ${(error as Error).message}\n`)
    }
  }
}
