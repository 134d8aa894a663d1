import { expect, it } from 'vitest'
import { FAULTS } from './faults.ts'
import { tryFaults } from './run.ts'

it('nothing is lost, whatever goes wrong', { timeout: 400_000 }, async () => {
  const lost: string[] = []
  const { tallies, leftOut } = await tryFaults({
    faults: FAULTS,
    seed: 11,
    tries: 1,
    killsEach: 1,
    lanes: 3,
    onAttempt: ({ name }, _, attempt) => lost.push(...attempt.lost.map((line) => `${name}, ${attempt.what}: ${line}`)),
  })
  for (const [name, means] of leftOut) if (means.length > 0) console.log(`${name}: left out for want of ${means}`)
  expect(lost).toEqual([])
  // some end before they are killed
  expect([...tallies.values()].reduce((sum, { kills }) => sum + kills, 0)).toBeGreaterThan(3)
})
