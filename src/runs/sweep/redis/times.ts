/** A whole number from the environment, for tests. */
const given = (name: string, otherwise: number): number => Number(process.env[name]) || otherwise

/** How long a worker holds a run without a sign of life, and how often runs are looked for whose worker is lost; milliseconds. */
export const lockTimes = () => {
  const lockDuration = given('COOP_TS_LOCK_MS', 15_000)
  return { lockDuration, stalledInterval: Math.ceil(lockDuration / 3) }
}

/** Pictures whose features are one job. */
export const shardSize = (): number => given('COOP_TS_SHARD', 2000)

/** Milliseconds between looks at the queue, by workers and by the sweep that waits. */
export const LOOK_MS = 2000
