import { randomFor } from '../../base/random.ts'

/** Machines that take runs from one queue. */
export interface Cluster {
  readonly machines: number
  /** Of each, with one run at a time on each. */
  readonly cores: number
  /** Whether the features that one machine has computed are there for the others. */
  readonly shared: boolean
  readonly picturesPerSecond: number
  readonly overhead: number
  readonly commandsPerRun: number
  readonly commandsPerSecond: number
  /** Seconds after which a machine is lost, in the mean. */
  readonly lostAfter: number
  /** Seconds until somebody sees that a run's worker is lost. */
  readonly unseen: number
}

export interface SimulatedRun {
  readonly dataset: string
  /** Of one core. */
  readonly seconds: number
}

export interface Simulated {
  /** From the first to the end of the last run. */
  readonly seconds: number
  /** Seconds of all cores that something was done in, and those of them that pictures were encoded in. */
  readonly busy: number
  readonly encoding: number
  /** Runs whose worker was lost. */
  readonly lost: number
  readonly runs: number
}

/** Pictures of a shard: a job of its own, for which the runs of its data set wait. */
export const SHARD = 2000

interface Task {
  readonly dataset: string
  /** Pictures to encode; of a run none. */
  readonly pictures: number
  readonly seconds: number
}

/**
 * What a queue makes of runs, event by event: each core takes the first task that waits. Data sets' features come first, in
 * shards; the runs of a data set wait for all of its shards. With caches of their own the machines have no shards: each encodes a data
 * set for itself in its first run of it. A lost run is begun anew after `unseen` seconds, at the end of the queue.
 */
export function simulate(
  datasets: readonly { readonly name: string; readonly pictures: number }[],
  runs: readonly SimulatedRun[],
  cluster: Cluster,
): Simulated {
  const { machines, cores, shared, picturesPerSecond, overhead, lostAfter, unseen } = cluster
  const random = randomFor('cluster', machines, cores)
  const encoded = new Set<string>()
  const picturesOf = new Map(datasets.map(({ name, pictures }) => [name, pictures]))
  const runsOf = (name: string): Task[] =>
    runs.flatMap(({ dataset, seconds }) => (dataset === name ? [{ dataset, pictures: 0, seconds }] : []))
  const queue: Task[] = []
  const shardsLeft = new Map<string, number>()
  for (const { name, pictures } of datasets) {
    if (!shared) {
      queue.push(...runsOf(name))
      continue
    }
    const shards = Math.ceil(pictures / SHARD)
    shardsLeft.set(name, shards)
    for (let i = 0; i < shards; i++) {
      const own = Math.min(SHARD, pictures - i * SHARD)
      queue.push({ dataset: name, pictures: own, seconds: own / picturesPerSecond })
    }
  }

  const events = new Heap<() => void>()
  const idle = Array.from({ length: machines * cores }, (_, core) => core)
  let [now, end, busy, encoding, lost, first] = [0, 0, 0, 0, 0, 0]
  const give = () => {
    while (idle.length > 0 && first < queue.length) begin(queue[first++]!, idle.pop()!)
  }
  const begin = (task: Task, core: number) => {
    let seconds = task.seconds + overhead
    const machine = `${Math.floor(core / cores)} ${task.dataset}`
    if (task.pictures === 0 && !shared && !encoded.has(machine)) {
      encoded.add(machine)
      const more = (picturesOf.get(task.dataset) ?? 0) / picturesPerSecond
      encoding += more
      seconds += more
    }
    if (task.pictures > 0) encoding += task.seconds
    const isLost = random.next() < 1 - Math.exp(-seconds / lostAfter)
    const spent = isLost ? seconds * random.next() : seconds
    busy += spent
    events.push(now + spent + (isLost ? unseen : 0), () => {
      idle.push(core)
      if (isLost) {
        lost++
        queue.push(task)
      } else if (task.pictures > 0) {
        const left = (shardsLeft.get(task.dataset) ?? 0) - 1
        shardsLeft.set(task.dataset, left)
        if (left === 0) queue.push(...runsOf(task.dataset))
      } else end = now
    })
  }
  give()
  for (let next = events.pop(); next !== undefined; next = events.pop()) {
    now = next.at
    next.event()
    give()
  }
  return { seconds: end, busy, encoding, lost, runs: runs.length }
}

/** Events in the order of their times. */
class Heap<Event> {
  readonly #entries: { readonly at: number; readonly event: Event }[] = []

  push(at: number, event: Event): void {
    const entries = this.#entries
    let i = entries.push({ at, event }) - 1
    for (let above = (i - 1) >> 1; i > 0 && entries[above]!.at > at; i = above, above = (i - 1) >> 1)
      this.#swap(i, above)
  }

  pop(): { readonly at: number; readonly event: Event } | undefined {
    const entries = this.#entries
    const [first] = entries
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return first
    entries[0] = last
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2]
      let least = i
      if (left < entries.length && entries[left]!.at < entries[least]!.at) least = left
      if (right < entries.length && entries[right]!.at < entries[least]!.at) least = right
      if (least === i) return first
      this.#swap(i, least)
      i = least
    }
  }

  #swap(i: number, j: number): void {
    const entries = this.#entries
    ;[entries[i], entries[j]] = [entries[j]!, entries[i]!]
  }
}
