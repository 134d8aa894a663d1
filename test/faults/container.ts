import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE_MS, two } from './clock.ts'
import { type Fault, pick } from './fault.ts'
import { CONTAINER } from './needs.ts'
import { endOf, lastWords } from './process.ts'
import { differences, resultOf } from './result.ts'
import * as works from './works.ts'

const WORKS: readonly works.Work[] = [
  ...works.TRAINS,
  works.SWEEP,
  works.DOWNLOAD,
  works.IMPORT,
  works.features('.safetensors'),
]
const IN_IT = { within: CONTAINER }

export const containerFaults: readonly Fault[] = [
  {
    name: 'container',
    about: 'a container with the same process id and host name each time, killed and started again',
    needs: ['container'],
    async attempt({ world, folder }, random) {
      const work = pick(random, WORKS)
      const reference = await works.referenceOf(work, world)
      const folders = works.foldersIn(folder, world)
      const after = reference.ms * (0.3 + 0.7 * random.next())
      const what = `${work.name}: killed at ${(after / 1000).toFixed(2)} s`
      const running = await works.begin(work, world, folders, IN_IT)
      await Promise.race([running.ended, sleep(after)])
      running.child.kill('SIGKILL')
      await running.ended
      const kills = running.child.signalCode === 'SIGKILL' ? 1 : 0
      const end = await endOf(await works.begin(work, world, folders, IN_IT), 3 * reference.ms + PATIENCE_MS)
      if (end.status !== 0) return { what, kills, lost: [lastWords(end)] }
      return { what, kills, lost: differences(await resultOf(folders.out), reference.result) }
    },
  },
  {
    name: 'two containers',
    about: 'two containers with the same process id and host name and one run: one learns, the other is refused',
    needs: ['container'],
    attempt: async (at) => ({ what: 'both at once', kills: 0, lost: await two(IN_IT, IN_IT, at) }),
  },
]
