// Plain JavaScript on purpose: it is loaded before any TypeScript, so an old Node can still read it and say what is wrong.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `Voltbay needs Node.js 24 or newer; this is ${process.version}. Run "npm ci", then use the npm scripts: they bring their own Node.`,
  )
  process.exit(1)
}
