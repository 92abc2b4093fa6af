import { expect, test } from 'vitest'
import { z } from 'zod'
import { apiSettings } from '../api/config.ts'
import { databaseSettings, exampleSettings } from '../db/platform/config.ts'
import { gatewaySettings } from '../gateway/config.ts'

/** As `npm start` reads them. */
const everything = z.object({ ...databaseSettings, ...apiSettings.shape, ...gatewaySettings })

// Written again by `npm test -- test/settings.test.ts -u`.
test('.env.example tells every setting there is, with its default', async () => {
  await expect(exampleSettings(everything)).toMatchFileSnapshot('../.env.example')
})
