import { defineConfig } from 'drizzle-kit'

/** Used by `npm run migrate:new` only; at run time the migrations are applied by migrate.ts. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './db/*/schema.ts',
  out: './db/migrations',
  casing: 'snake_case',
})
