// npm run faults -- [--minutes N] [--kills N] [--seed S] [--only NAME,...] [--list]
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { columns } from '../../src/report/text.ts'
import { FAULTS } from './faults.ts'
import { tryFaults } from './run.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    kills: { type: 'string' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})
const only = values.only?.split(',')
const strange = only?.filter((name) => !FAULTS.some((fault) => fault.name === name)) ?? []
if (values.list || strange.length > 0) {
  if (strange.length > 0) console.error(`there is no fault ${strange.join(', ')}; there are:`)
  console.log(columns(FAULTS.map(({ name, about }) => [name, about])))
  process.exit(strange.length > 0 ? 2 : 0)
}

const seed = Number(values.seed)
const kills = values.kills === undefined ? undefined : Number(values.kills)
const started = performance.now()
const { tallies, leftOut } = await tryFaults({
  faults: FAULTS.filter(({ name }) => only?.includes(name) ?? true),
  seed,
  minutes: Number(values.minutes),
  kills,
  lanes: availableParallelism(),
  onAttempt(fault, number, { what, lost }, kept) {
    const outcome =
      lost.length === 0 ? 'nothing lost' : ['LOST', ...lost, ...(kept ? [`see ${kept}`] : [])].join('\n  ')
    console.log(`${fault.name}, try ${number} of seed ${seed}: ${what}: ${outcome}`)
  },
})
for (const [name, means] of leftOut)
  if (means.length > 0) console.log(`left out: ${name}, for want of ${means.join(', ')}`)
const rows = [...tallies].map(([name, { tries, kills, lost, seconds }]) => [
  name,
  ...[tries, kills, lost, Math.round(seconds)].map(String),
])
console.log(columns([['fault', 'tries', 'kills', 'lost', 'seconds'], ...rows]))
const total = [...tallies.values()]
const sum = (key: 'tries' | 'kills' | 'lost') => total.reduce((all, tally) => all + tally[key], 0)
const seconds = Math.round((performance.now() - started) / 1000)
console.log(
  `${sum('kills')} kills in ${sum('tries')} tries of seed ${seed}, ${seconds} s: ${sum('lost')} lost something`,
)
process.exit(sum('lost') > 0 ? 1 : 0)
