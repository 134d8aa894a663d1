// `npm run audit`: asks the registry for known weaknesses of the packages in package-lock.json. One that is high or critical
// in what users get fails; others are said. A registry that does not answer such questions is said, too, and fails nothing.
import { spawnSync } from 'node:child_process'
import { z } from 'zod'
import { countOf } from '../../src/base/count.ts'
import { columns } from '../../src/report/text.ts'
import { packagesOf, ROOT, readLock } from './packages.ts'

const answerSchema = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      severity: z.string(),
      nodes: z.array(z.string()),
      /** Weaknesses of its own, and names of packages that it has them from. */
      via: z.array(z.union([z.string(), z.object({ title: z.string(), url: z.string() })])),
    }),
  ),
})

const { stdout, stderr } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], {
  cwd: ROOT,
  encoding: 'utf8',
  shell: process.platform === 'win32',
})
const answer = answerSchema.safeParse(parsed(stdout))
if (answer.success) report(answer.data)
else console.log(`audit: the registry gave no answer, so nothing is known: ${whyNot(stdout) ?? stderr.trim()}`)

function report({ vulnerabilities }: z.output<typeof answerSchema>): void {
  const packages = packagesOf(readLock())
  const rows = Object.entries(vulnerabilities).map(([name, { severity, nodes, via }]) => {
    const users = packages.some(({ path, audience }) => nodes.includes(path) && audience !== 'development')
    const fails = users && /^(high|critical)$/.test(severity)
    const why = via.map((one) => (typeof one === 'string' ? `by ${one}` : `${one.title} (${one.url})`)).join('; ')
    return { fails, cells: [severity, users ? 'users get it' : 'development', name, why] }
  })
  const asked = `audit: ${countOf(rows.length, 'package')} of ${packages.length} with known weaknesses`
  console.log(
    [
      asked,
      ...(rows.length > 0
        ? [
            columns(
              rows.map(({ cells }) => cells),
              4,
            ),
          ]
        : []),
    ].join('\n'),
  )
  if (rows.some(({ fails }) => fails)) process.exitCode = 1
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function whyNot(text: string): string | undefined {
  return z.object({ message: z.string() }).safeParse(parsed(text)).data?.message
}
