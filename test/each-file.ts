import { afterAll } from 'vitest'
import { undoAll } from './postgres.ts'

// Runs again for each file, though modules are loaded once a worker (vitest's setupFiles).
afterAll(undoAll)
