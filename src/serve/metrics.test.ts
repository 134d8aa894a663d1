import { expect, it } from 'vitest'
import { serverMetrics } from './metrics.ts'

const LINE = /^(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([\d.e+-]+)$/

/** The text format of Prometheus, read by its grammar. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const typed = new Set<string>()
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('# HELP ')) continue
    const [, name] = /^# TYPE (\w+) (?:counter|gauge|histogram)$/.exec(line) ?? []
    if (name !== undefined) {
      expect(typed.has(name), line).toBe(false)
      typed.add(name)
      continue
    }
    const [, metric = '', labels = '', value] = LINE.exec(line) ?? []
    expect(typed.has(metric) || typed.has(metric.replace(/_(bucket|sum|count)$/, '')), line).toBe(true)
    const key = `${metric}{${labels}}`
    expect(samples.has(key), line).toBe(false)
    samples.set(key, Number(value))
  }
  return samples
}

it('counts requests, times, pictures, batches and what waits, in the format of Prometheus', () => {
  const metrics = serverMetrics(() => [['a', 3]])
  for (const [status, seconds] of [
    [200, 0.02],
    [200, 0.3],
    [413, 99],
  ] as const) {
    metrics.begin()
    metrics.end('/v1/classify', status, seconds)
  }
  metrics.begin()
  metrics.received(1000)
  metrics.classified('a', 5)
  metrics.batch('a', 5)
  metrics.batch('a', 32)
  const samples = parse(metrics.text())
  const seconds = 'coop_ts_request_duration_seconds'
  const expected = {
    'coop_ts_requests_total{route="/v1/classify",status="200"}': 2,
    'coop_ts_requests_total{route="/v1/classify",status="413"}': 1,
    'coop_ts_requests_in_flight{}': 1,
    'coop_ts_queue_pictures{run="a"}': 3,
    'coop_ts_pictures_total{run="a"}': 5,
    'coop_ts_received_bytes_total{}': 1000,
    'coop_ts_batch_pictures_bucket{run="a",le="4"}': 0,
    'coop_ts_batch_pictures_bucket{run="a",le="8"}': 1,
    'coop_ts_batch_pictures_bucket{run="a",le="32"}': 2,
    'coop_ts_batch_pictures_sum{run="a"}': 37,
    [`${seconds}_bucket{route="/v1/classify",le="0.025"}`]: 1,
    [`${seconds}_bucket{route="/v1/classify",le="0.5"}`]: 2,
    [`${seconds}_bucket{route="/v1/classify",le="30"}`]: 2,
    [`${seconds}_bucket{route="/v1/classify",le="+Inf"}`]: 3,
    [`${seconds}_count{route="/v1/classify"}`]: 3,
  }
  for (const [key, value] of Object.entries(expected)) expect(samples.get(key), key).toBe(value)
  expect(samples.get(`${seconds}_sum{route="/v1/classify"}`)).toBeCloseTo(99.32)
  expect(samples.get('process_resident_memory_bytes{}')).toBeGreaterThan(1e7)
})

it('words of labels are escaped', () => {
  const metrics = serverMetrics(() => [['a"b\\c\nd', 1]])
  expect(parse(metrics.text()).get('coop_ts_queue_pictures{run="a\\"b\\\\c\\nd"}')).toBe(1)
})
