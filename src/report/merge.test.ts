import { describe, expect, it } from 'vitest'
import { exampleRecord } from '../testing/example-records.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { mergeRecords } from './merge.ts'

const found = (...records: readonly MeasuredRecord[]) => records.map((record, i) => ({ record, file: `sweep-${i}` }))
const run = exampleRecord({ id: 'a', elsewhere: { new: 0.4 } })

describe('runs of several sweeps', () => {
  it('are each taken once', () => {
    const later = { ...run, seconds: 99, environment: { ...run.environment, date: '2027-01-01T00:00:00Z' } }
    expect(mergeRecords(found(run, later))).toEqual([run])
    const other = exampleRecord({ id: 'b', seed: 2 })
    expect(mergeRecords(found(other, run)).map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('that were measured in different places are one', () => {
    const [merged] = mergeRecords(found(run, exampleRecord({ id: 'b', elsewhere: { dtd: 0.3 } })))
    expect(merged).toMatchObject({ id: 'a', elsewhere: { new: 0.4, dtd: 0.3 } })
  })

  it.each<[string, Partial<MeasuredRecord>]>([
    ['have the same id and other settings', { id: 'a', seed: 2 }],
    ['have the same id and another result', { id: 'a', accuracy: 0.6 }],
    ['have the same settings and another result', { id: 'b', accuracy: 0.6 }],
    ['have another result elsewhere', { id: 'b', elsewhere: { new: 0.41 } }],
  ])('that %s are refused, with both files', (_, changes) => {
    expect(() => mergeRecords(found(run, exampleRecord(changes)))).toThrow(
      /two records of the same run differ(.|\n)*sweep-0(.|\n)*sweep-1/,
    )
  })
})
