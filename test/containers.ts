import { GenericContainer, Wait } from 'testcontainers'

const user = 'voltbay'
const port = 5432
/** As the embedded one is tuned for tests (db/postgres/embedded.ts). */
const careless = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'jit=off', 'timezone=UTC']

/** A PostgreSQL in a container, for one run; sorts by code point as the embedded one does. */
export async function startPostgres(image: string): Promise<{ url: string; stop(): Promise<void> }> {
  const container = await new GenericContainer(image)
    .withEnvironment({
      POSTGRES_USER: user,
      POSTGRES_PASSWORD: user,
      POSTGRES_DB: 'postgres',
      POSTGRES_INITDB_ARGS: '--encoding=UTF8 --locale=C.UTF-8',
    })
    .withCommand(['postgres', ...careless.flatMap((setting) => ['-c', setting])])
    .withExposedPorts(port)
    // The image starts it once to make the cluster, then for good.
    .withWaitStrategy(
      Wait.forAll([Wait.forLogMessage('database system is ready to accept connections', 2), Wait.forListeningPorts()]),
    )
    .start()
  const address = `${container.getHost()}:${container.getMappedPort(port)}`
  return { url: `postgres://${user}:${user}@${address}/postgres`, stop: async () => void (await container.stop()) }
}

/** A broker in a container at this port of ours. The configuration is Mosquitto's; others look elsewhere for theirs. */
export async function startBroker(
  image: string,
  hostPort: number,
  mosquittoConf: string,
): Promise<() => Promise<void>> {
  const container = await new GenericContainer(image)
    .withExposedPorts({ container: 1883, host: hostPort })
    .withCopyContentToContainer([{ content: mosquittoConf, target: '/mosquitto/config/mosquitto.conf' }])
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  return async () => void (await container.stop())
}
