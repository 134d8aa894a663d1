import type { Curve, DemoResult, TaskResult } from '../lab/demo/report/types.ts'

/** A made-up result for the tests of the report: its figures measure nothing. */
export function exampleResult(changes: Partial<DemoResult> = {}): DemoResult {
  const shots = [1, 2, 4, 8, 16]
  const rising = (from: number, to: number): Curve =>
    Object.fromEntries(shots.map((count, i) => [count, { mean: from + ((to - from) * i) / 4, sd: 0.04 / (i + 1) }]))
  const task = (name: string, title: string, zeroShot: number, gain: number): TaskResult => ({
    name,
    title,
    classes: 10,
    chance: 0.1,
    zeroShot,
    prompt: `a picture of a {}, a kind of ${name}.`,
    coop: rising(zeroShot - 0.02, zeroShot + gain),
    coopCsc: rising(zeroShot - 0.1, zeroShot + gain + 0.15),
    words: ['photo', 'a', 'of'],
  })
  const tasks = [
    task('objects', 'Objects', 0.33, -0.01),
    task('style', 'Drawing style', 0.36, 0.25),
    task('sports', 'Sports', 0.29, 0.23),
    task('gestures', 'Gestures', 0.2, 0.18),
    { ...task('shift', 'Sports', 0.25, 0.1), shift: true },
  ]
  return {
    chance: 0.1,
    zeroShot: 0.295,
    coop: rising(0.275, 0.46),
    coopCsc: rising(0.195, 0.61),
    tasks,
    settings: { seeds: [1, 2, 3], shots, model: 'models/small-clip', command: 'npm run demo' },
    seconds: 100,
    ...changes,
  }
}
