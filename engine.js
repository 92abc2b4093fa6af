import { isatty } from 'node:tty'

// Plain JavaScript on purpose: it is loaded before any TypeScript, so an old Node can still read it and say what is wrong.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `Voltbay needs Node.js 24 or newer; this is ${process.version}. Run "npm ci", then use the npm scripts: they bring their own Node.`,
  )
  process.exit(1)
}

// Packages ask this word, each in its own spelling, and not whether a terminal is there to show colours.
const [stdout, stderr] = [1, 2]
if (process.env.NO_COLOR || (!process.env.FORCE_COLOR && !(isatty(stdout) && isatty(stderr))))
  process.env.NO_COLOR = '1'

// npm hands SIGTERM and SIGINT on; of its own end by anything else its script hears nothing but a new parent.
const lookMs = 250
const npm = process.ppid
if (process.env.npm_lifecycle_event) {
  const looking = setInterval(() => {
    if (process.ppid === npm) return
    clearInterval(looking)
    process.kill(process.pid, 'SIGTERM')
  }, lookMs).unref()
}
