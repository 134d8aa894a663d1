import { describe, expect, it } from 'vitest'
import { type Cluster, simulate } from './simulate-queue.ts'

const CLUSTER: Cluster = {
  machines: 1,
  cores: 2,
  shared: true,
  picturesPerSecond: 10,
  overhead: 0,
  commandsPerRun: 0,
  commandsPerSecond: 0,
  lostAfter: Number.POSITIVE_INFINITY,
  unseen: 20,
}
const DATASETS = [
  { name: 'small', pictures: 100 },
  { name: 'large', pictures: 5000 },
]
const runs = (count: number, seconds: number) =>
  DATASETS.flatMap(({ name }) => Array.from({ length: count }, () => ({ dataset: name, seconds })))

describe('the simulated queue', () => {
  it('does all runs after the features of their data sets', () => {
    // shards of 10, 200, 200 and 100 s on two cores, then 8 runs of 5 s each
    const made = simulate(DATASETS, runs(4, 5), CLUSTER)
    expect(made).toMatchObject({ busy: 510 + 40, encoding: 510, lost: 0, runs: 8 })
    expect(made.seconds).toBeGreaterThanOrEqual(550 / 2)
    expect(made.seconds).toBeLessThan(550)
  })

  it('with caches of their own every machine encodes every data set that it does runs of', () => {
    const one = simulate(DATASETS, runs(400, 5), { ...CLUSTER, shared: false })
    expect(one.encoding).toBe(510)
    const four = simulate(DATASETS, runs(400, 5), { ...CLUSTER, shared: false, machines: 4 })
    expect(four.encoding).toBe(4 * 510)
  })

  it('does lost runs again', () => {
    const made = simulate(DATASETS, runs(200, 60), { ...CLUSTER, machines: 10, lostAfter: 600 })
    const calm = simulate(DATASETS, runs(200, 60), { ...CLUSTER, machines: 10 })
    expect(made.lost).toBeGreaterThan(10)
    expect(made.busy).toBeGreaterThan(calm.busy)
    expect(made.seconds).toBeGreaterThan(calm.seconds)
  })

  it('is never faster than the longest run, nor than all work divided by all cores', () => {
    for (const machines of [1, 3, 50, 1000]) {
      const { seconds, busy } = simulate(DATASETS, runs(50, 30), { ...CLUSTER, machines })
      expect(seconds).toBeGreaterThanOrEqual(busy / (2 * machines))
      expect(seconds).toBeGreaterThanOrEqual(200 + 30)
    }
  })
})
