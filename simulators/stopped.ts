/** Ctrl-C under npm comes twice: from the terminal, and from npm, which hands on what it heard. */
const echoMs = 1_000

/** Resolves when this process is told to stop; told once more, it ends at once. */
export function stopped(): Promise<void> {
  const told = Promise.withResolvers<void>()
  let toldAt: number | undefined
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'])
    process.on(name, () => {
      toldAt ??= performance.now()
      if (performance.now() - toldAt > echoMs) process.exit(1)
      told.resolve()
    })
  return told.promise
}
