import { type Fault, pick } from './fault.ts'
import { endOf, lastWords, type Way } from './process.ts'
import { differences, resultOf, unfinishedFaults } from './result.ts'
import * as works from './works.ts'

const MB = 1_000_000

export const memoryFaults: readonly Fault[] = [
  {
    name: 'memory',
    about: 'a command with little memory (--max-old-space-size, or a limit of the system), and once more with enough',
    needs: ['limits'],
    async attempt({ world, folder }, random) {
      const work = pick(random, [...works.TRAINS, works.SWEEP, works.features('.parquet'), ...works.EXPORTS])
      const reference = await works.referenceOf(work, world)
      const folders = works.foldersIn(folder, world)
      await works.prepared(work, world, folders)
      const megabytes = { heap: 6 + random.int(40), data: 60 + random.int(300) }
      const [how, way]: readonly [string, Way] = pick(random, [
        [`a heap of ${megabytes.heap} MB`, { node: [`--max-old-space-size=${megabytes.heap}`] }],
        [`${megabytes.data} MB of data`, { within: ['prlimit', `--data=${megabytes.data * MB}`, '--core=0'] }],
      ] as const)
      const first = await endOf(await works.begin(work, world, folders, way), 60_000)
      const lost: string[] = []
      if (first.status !== 0) {
        // what the system ends says nothing
        const isSilent = first.status !== null && first.stderr.trim() === ''
        if (isSilent || first.stderr.includes('hung: killed')) lost.push(lastWords(first))
        lost.push(
          ...unfinishedFaults(await resultOf(folders.out), reference.result).filter((line) => !line.endsWith('left')),
        )
      }
      const end = await endOf(await works.begin(work, world, folders))
      if (end.status !== 0) lost.push(`with enough: ${lastWords(end)}`)
      else lost.push(...differences(await resultOf(folders.out), reference.result))
      const outcome = first.status === 0 ? 'enough' : `ended with ${first.status ?? 'a signal'}`
      return { what: `${work.name} with ${how}, ${outcome}`, kills: 0, lost }
    },
  },
]
