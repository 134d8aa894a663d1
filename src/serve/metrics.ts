// Counters in the text format of Prometheus (version 0.0.4). Own code: the usual library is larger than this server, and
// five metrics are a few lines.

type Labels = Readonly<Record<string, string | number>>

/** Something counted, as lines of the text format. */
interface Metric {
  text(): string
}

const escaped = (value: string | number) =>
  String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function sample(name: string, labels: Labels, value: number): string {
  const words = Object.entries(labels).map(([key, word]) => `${key}="${escaped(word)}"`)
  return `${name}${words.length > 0 ? `{${words.join(',')}}` : ''} ${value}`
}

const described = (name: string, kind: string, help: string, samples: readonly string[]): string =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...samples].join('\n')

export function counter(name: string, help: string) {
  const counts = new Map<string, { readonly labels: Labels; value: number }>()
  return {
    add(labels: Labels, more = 1) {
      const key = JSON.stringify(labels)
      const count = counts.get(key)
      if (count === undefined) counts.set(key, { labels, value: more })
      else count.value += more
    },
    text: () =>
      described(
        name,
        'counter',
        help,
        Array.from(counts.values(), ({ labels, value }) => sample(name, labels, value)),
      ),
  }
}

/** What is so at the moment of asking. */
export const gauge = (
  name: string,
  help: string,
  now: () => readonly (readonly [Labels, number])[],
  kind: 'gauge' | 'counter' = 'gauge',
): Metric => ({
  text: () =>
    described(
      name,
      kind,
      help,
      now().map(([labels, value]) => sample(name, labels, value)),
    ),
})

/** Counts of values up to each bound, their sum and number. */
export function histogram(name: string, help: string, bounds: readonly number[]) {
  const series = new Map<string, { readonly labels: Labels; readonly counts: number[]; sum: number }>()
  return {
    observe(labels: Labels, value: number) {
      const key = JSON.stringify(labels)
      const one = series.get(key) ?? { labels, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 }
      series.set(key, one)
      const at = bounds.findIndex((bound) => value <= bound)
      one.counts[at < 0 ? bounds.length : at]! += 1
      one.sum += value
    },
    text() {
      const samples = Array.from(series.values(), ({ labels, counts, sum }) => {
        let total = 0
        const buckets = counts.map((count, i) => {
          total += count
          return sample(`${name}_bucket`, { ...labels, le: bounds[i] ?? '+Inf' }, total)
        })
        return [...buckets, sample(`${name}_sum`, labels, sum), sample(`${name}_count`, labels, total)]
      })
      return described(name, 'histogram', help, samples.flat())
    },
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** What the server counts of itself. */
export function serverMetrics(waiting: () => readonly (readonly [run: string, pictures: number])[]) {
  let inFlight = 0
  const requests = counter('coop_ts_requests_total', 'Requests by route and status.')
  const seconds = histogram(
    'coop_ts_request_duration_seconds',
    'Seconds from the head of a request to the end of its answer.',
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  )
  const pictures = counter('coop_ts_pictures_total', 'Pictures classified.')
  const bytes = counter('coop_ts_received_bytes_total', 'Bytes of bodies of requests to classify.')
  const batches = histogram('coop_ts_batch_pictures', 'Pictures that were classified together.', [1, 2, 4, 8, 16, 32])
  const all: readonly Metric[] = [
    requests,
    seconds,
    gauge('coop_ts_requests_in_flight', 'Requests that are not answered yet.', () => [[{}, inFlight]]),
    gauge('coop_ts_queue_pictures', 'Pictures that wait for a run.', () =>
      waiting().map(([run, count]) => [{ run }, count] as const),
    ),
    batches,
    pictures,
    bytes,
    gauge('process_resident_memory_bytes', 'Memory of the process.', () => [[{}, process.memoryUsage.rss()]]),
    gauge('process_cpu_seconds_total', 'Processor time of the process.', () => [[{}, cpuSeconds()]], 'counter'),
    gauge('process_uptime_seconds', 'Seconds since the process began.', () => [[{}, process.uptime()]]),
  ]
  return {
    begin: () => {
      inFlight++
    },
    end(route: string, status: number, took: number) {
      inFlight--
      requests.add({ route, status })
      seconds.observe({ route }, took)
    },
    classified: (run: string, count: number) => pictures.add({ run }, count),
    received: (count: number) => bytes.add({}, count),
    batch: (run: string, size: number) => batches.observe({ run }, size),
    inFlight: () => inFlight,
    text: () => `${all.map((metric) => metric.text()).join('\n')}\n`,
  }
}

export type ServerMetrics = ReturnType<typeof serverMetrics>
